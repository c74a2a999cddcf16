"""Messages by their words, best first.

The function search_messages finds the keys of those that match; whether the viewer sees them is
asked here once more. It ranks the newest 1,000 matches, so that a word which nearly all messages
have takes no longer than another.
"""

from hashlib import sha256
from html import escape
from uuid import UUID

from core.errors import BadInput
from core.text import searchable
from core.viewer import Viewer
from resolvers.access import ONE_BY_ONE
from resolvers.message import COLUMNS, MessageRow, seen_messages
from resolvers.order import Key, Order
from resolvers.paging import Edge, PageArguments, Slice, fetch_page

WINDOW = 2000
"""Characters that a snippet is made of: what that costs grows with their square."""

# Whoever writes the marks into a message must not be able to mark, or to write markup: the
# characters that stand for marks are taken out of the content first, and < and > of the content
# are such characters, since PostgreSQL leaves out what it takes for markup.
START, STOP, LESS, GREATER = "\x02", "\x03", "\x04", "\x05"
MARKS = str.maketrans({START: "<mark>", STOP: "</mark>", LESS: "&lt;", GREATER: "&gt;"})
# From a little before the first word that was found, where the content has it as it was found.
SEEN = f"""substr(m.content, greatest(
    strpos(lower(m.content), split_part(f.words::text, '''', 2)) - 200, 1), {WINDOW})"""
SNIPPET = f"""ts_headline(f.language,
    translate({SEEN}, '<>{START}{STOP}{LESS}{GREATER}', '{LESS}{GREATER}'),
    f.words, 'StartSel={START}, StopSel={STOP}, ' || CASE WHEN length(m.content) <= 200
        THEN 'HighlightAll=true'
        ELSE 'MaxFragments=2, MaxWords=20, MinWords=5, FragmentDelimiter=" … "'
    END) AS marked"""


class MatchRow(MessageRow):
    score: float
    marked: str

    @property
    def snippet(self) -> str:
        return escape(self.marked).translate(MARKS)


class MatchEdge(Edge[MatchRow]):
    @property
    def score(self) -> float:
        return self.node.score

    @property
    def snippet(self) -> str:
        return self.node.snippet


class MatchSlice(Slice[MatchRow]):
    @property
    def edges(self) -> list[Edge[MatchRow]]:
        return [MatchEdge(row, self.order) for row in self.nodes]


async def search_messages(
    viewer: Viewer, query: str, arguments: PageArguments, conversation_id: UUID | None = None
) -> Slice[MatchRow]:
    """Raises BadInput."""
    words = _words(query)
    order = _order(words, conversation_id)
    found = await fetch_page(
        MatchRow,
        f"{COLUMNS}, f.score, {SNIPPET}",
        f"""FROM search_messages($1, {_member(viewer)}, $3, $4) f
        CROSS JOIN LATERAL (
            SELECT m.* FROM messages m {seen_messages(viewer)} AND m.id = f.id {ONE_BY_ONE}
        ) m WHERE TRUE""",
        order,
        arguments.page(order),
        viewer.tenant_id,
        viewer.user_id,
        conversation_id,
        words,
    )
    return MatchSlice(found.nodes, found.order, found.page, found.has_more, found.known)


def _member(viewer: Viewer) -> str:
    """Whose conversations are searched; all for an admin."""
    return "NULL" if viewer.is_admin else "$2"


def _words(query: str) -> str:
    words = searchable(query, "query")
    if not words:
        raise BadInput("Must not be blank.", ("query",))
    return words


def _order(words: str, conversation_id: UUID | None) -> Order:
    """Of one search: a score says nothing in another."""
    search = sha256(f"{conversation_id} {words}".encode()).hexdigest()[:16]
    keys = Key("f.score", "score", "float8"), Key("m.id", "id", "uuid")
    return Order(f"message.found.{search}", keys, descending=True)

"""The conversations that somebody sees, a page at a time.

Three ways lead to a page, and where one does not suit, it is a hundred times as slow as another.
Few conversations, all that somebody takes part in or owns, are looked up and sorted. To find more,
an index of the order is walked: what it comes to is compared with them, and where they are too many
for that, each conversation is asked who takes part. A statement has all ways, and goes one by how
many they are. A walk has no bound but the workspace: it is long for who takes part in more than
FEW, none of them recent.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple
from uuid import UUID

from core.text import pattern
from core.viewer import Viewer
from resolvers.access import ONE_BY_ONE, sees_deleted, takes_part
from resolvers.conversation import (
    LISTED,
    RECENT,
    ConversationOrder,
    ConversationRow,
)
from resolvers.loading import counts_by_key
from resolvers.lookahead import fetch_ahead
from resolvers.order import Order
from resolvers.page_batch import fetch_paged
from resolvers.paging import (
    CountRow,
    Page,
    PageArguments,
    Slice,
    paged,
    sliced,
)
from tables.engine import DB

FEW, MANY = 100, 1_000
"""Conversations: up to so many are looked up, which takes some 2 microseconds for each, and from so
many on, each is asked. What is counted is looked at anyway: there up to MANY are looked up."""

_OF_PARTICIPANT = """SELECT p.conversation_id FROM participants p
    WHERE p.tenant_id = $1 AND p.user_id = {user}"""
_IS_UNREAD = """EXISTS (SELECT FROM participants p WHERE p.tenant_id = $1
    AND p.conversation_id = c.id AND p.user_id = $2 AND p.read_count < c.message_count {end})"""
_OF_OWNER = "SELECT c.id FROM conversations c WHERE c.tenant_id = $1 AND c.owner_id = {user}"


@dataclass(frozen=True, slots=True)
class ConversationFilter:
    owner_id: UUID | None = None
    participant_id: UUID | None = None
    title_contains: str | None = None
    has_unread: bool | None = None
    include_deleted: bool = False


class Condition(NamedTuple):
    """On conversations `c`."""

    sql: str
    """Asked of one after the other."""

    joined: str = ""
    """Where all are counted: PostgreSQL may make a join of it. The same, if empty."""

    ids: str = ""
    """Selects all of which it is true, where an index has them, and no others: of those that it
    selects, the condition is not asked again."""


async def list_conversations(
    viewer: Viewer,
    arguments: PageArguments,
    order: ConversationOrder = ConversationOrder.LAST_MESSAGE_AT_DESC,
    wanted: ConversationFilter = ConversationFilter(),
) -> Slice[ConversationRow]:
    page = arguments.page(order.value)
    conditions, values = _conditions(viewer, wanted)
    statement, parameters = _page(conditions, order.value, page, values)
    rows, known = await fetch_ahead(
        ConversationRow,
        statement,
        page.ahead,
        parameters,
        page.columns(order.value),
        shown=page.limit,
    )

    async def count() -> int:
        (row,) = await DB.fetch(CountRow, _count(conditions), *values)
        return row.total

    return sliced(rows, order.value, page, known).counted(count)


async def conversations_by_user(
    viewer: Viewer, keys: Sequence[tuple[UUID, Page]]
) -> list[Slice[ConversationRow]]:
    """The conversations that a person takes part in, as far as the viewer sees them."""
    page_of = partial(_page, _of_parent(viewer), RECENT)
    return await fetch_paged(
        ConversationRow, page_of, RECENT, keys, viewer.tenant_id, viewer.user_id
    )


async def conversation_counts_by_user(viewer: Viewer, ids: Sequence[UUID]) -> list[int]:
    rows = await DB.fetch(
        CountRow,
        f"""SELECT parent.id, counted.total FROM unnest($3::uuid[]) AS parent (id)
        CROSS JOIN LATERAL ({_count(_of_parent(viewer))}) AS counted""",
        viewer.tenant_id,
        viewer.user_id,
        ids,
    )
    return counts_by_key(rows, ids)


def _of_parent(viewer: Viewer) -> list[Condition]:
    """On the conversations of `parent.id`."""
    conditions, _ = _conditions(viewer, ConversationFilter())
    return [*conditions, _of_participant("parent.id")]


def _conditions(viewer: Viewer, wanted: ConversationFilter) -> tuple[list[Condition], list[object]]:
    """With values for $1, $2, …"""
    values: list[object] = [viewer.tenant_id, viewer.user_id]

    def given(value: object) -> str:
        values.append(value)
        return f"${len(values)}"

    deleted = sees_deleted(viewer, "c", include_deleted=wanted.include_deleted)
    found = [Condition(f"$2::uuid IS NOT NULL AND {deleted}")]
    if wanted.has_unread:
        # Who takes part is asked along with what they have read.
        found.append(_of_participant("$2")._replace(sql="TRUE", joined="TRUE"))
    elif not viewer.is_admin:
        found.append(_of_participant("$2"))
    if wanted.participant_id is not None:
        found.append(_of_participant(given(wanted.participant_id)))
    if wanted.owner_id is not None:
        owner = given(wanted.owner_id)
        found.append(Condition(f"c.owner_id = {owner}", ids=_OF_OWNER.format(user=owner)))
    if wanted.title_contains is not None:
        title = pattern(wanted.title_contains, "filter", "titleContains")
        found.append(Condition(f"c.title ILIKE {given(title)}"))
    if wanted.has_unread is not None:
        unread = _IS_UNREAD if wanted.has_unread else f"NOT {_IS_UNREAD}"
        found.append(Condition(unread.format(end=ONE_BY_ONE), unread.format(end="")))
    return found, values


def _of_participant(user: str) -> Condition:
    ids = _OF_PARTICIPANT.format(user=user)
    return Condition(takes_part(user), takes_part(user, end=""), ids)


def _page(
    conditions: Sequence[Condition], order: Order, page: Page, values: Sequence[object]
) -> tuple[str, Sequence[object]]:
    """A statement and its parameters."""
    walk = _all(condition.sql for condition in conditions)
    ways = [paged(way, order, page, values) for way in _ways(conditions, walk, FEW)]
    found = _union(way for way, _ in ways)
    sort = order.sort(backward=page.backward)
    _, parameters = ways[0]
    return f"{_fewest(conditions)} SELECT {LISTED} FROM {found} ORDER BY {sort}", parameters


def _count(conditions: Sequence[Condition]) -> str:
    walk = _all(condition.joined or condition.sql for condition in conditions)
    ways = _ways(conditions, walk, MANY)
    return f"{_fewest(conditions)} SELECT count(*) AS total FROM {_union(ways)}"


def _fewest(conditions: Iterable[Condition]) -> str:
    """The ids of the condition that is true of the fewest, or of more than matters."""
    arrays = [f"SELECT ARRAY({one.ids} LIMIT {MANY + 1}) AS ids" for one in conditions if one.ids]
    if not arrays:
        return ""
    if len(arrays) == 1:
        return f"WITH fewest AS MATERIALIZED ({arrays[0]})"
    return f"""WITH fewest AS MATERIALIZED (SELECT ids FROM ({" UNION ALL ".join(arrays)}) AS each
        ORDER BY cardinality(ids) LIMIT 1)"""


def _ways(conditions: Sequence[Condition], walked: str, few: int) -> Sequence[str]:
    """One of them has rows. IS TRUE, and asking one by one, keep PostgreSQL from making joins of
    it, which it would choose by what most workspaces are like."""
    all_there_are = "SELECT c.* FROM conversations c WHERE c.tenant_id = $1"
    walk = f"{all_there_are} AND {walked}"
    selecting = [condition for condition in conditions if condition.ids]
    if not selecting:
        return [walk]
    number = "(SELECT cardinality(ids) FROM fewest)"
    # Which of several has selected the fewest is not known before it runs: then all are asked.
    asked = conditions if len(selecting) > 1 else [one for one in conditions if not one.ids]
    remaining = _all(condition.sql for condition in asked)
    look_up = f"""SELECT c.* FROM unnest((SELECT ids FROM fewest)) AS one (id) CROSS JOIN LATERAL (
            SELECT * FROM conversations c WHERE c.tenant_id = $1 AND c.id = one.id {ONE_BY_ONE}) c
        WHERE {number} <= {few} AND {remaining}"""
    compare = f"""{all_there_are} AND (c.id IN (SELECT unnest(ids) FROM fewest)) IS TRUE
        AND {number} > {few} AND {number} <= {MANY} AND {remaining}"""
    compared = [compare] if few < MANY else []
    return [look_up, *compared, f"{walk} AND {number} > {MANY}"]


def _union(ways: Iterable[str]) -> str:
    return f"({' UNION ALL '.join(f'({way})' for way in ways)}) c"


def _all(conditions: Iterable[str]) -> str:
    return " AND ".join(conditions)

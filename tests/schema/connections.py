"""Every connection of the graph, beside what a plain list of the table's rows says of it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, NamedTuple
from uuid import UUID

from tables.engine import Row
from tests.graph import Cast, Client
from tests.schema.workspace import gid

ARGUMENTS = "first: $first, after: $after, last: $last, before: $before"
SELECTED = """{ totalCount nodes { id } edges { cursor node { id } }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor } }"""

FOUND = {"search": "notes"}
OF_OTHERS = "of others"
"""The title of a conversation that the viewer takes no part in."""


@dataclass(frozen=True)
class Connection:
    """`path` leads to it, with @ for its arguments; `declared` are further variables."""

    path: str
    variables: dict[str, Any] = field(default_factory=dict)
    declared: str = ""

    @property
    def query(self) -> str:
        path = self.path.replace("@", ARGUMENTS)
        declared = f"$first: Int, $after: String, $last: Int, $before: String, {self.declared}"
        return f"query ({declared}) {{ {path} {SELECTED} {'}' * self.path.count('{')} }}"

    async def page(self, client: Client, **arguments: Any) -> Any:
        answer = await client.ask(self.query, **self.variables, **arguments)
        while "pageInfo" not in answer:
            (answer,) = answer.values()
        return answer

    async def codes(self, client: Client, **arguments: Any) -> list[str]:
        return await client.codes(self.query, **self.variables, **arguments)


class Source(NamedTuple):
    """Where a connection's rows are: the plain list sorts and filters what SELECT * gives."""

    node_type: str
    table: str
    key: Callable[[Row], Any]
    descending: bool = False
    belongs: Callable[[Row], bool] = lambda _: True
    id: str = "id"


def _recent(row: Row) -> tuple[Any, UUID]:
    return row.last_message_at or row.created_at, row.id


def _alive(row: Row) -> bool:
    return row.deleted_at is None


def _mine(row: Row) -> bool:
    return _alive(row) and row.title != OF_OTHERS


def orders() -> dict[str, tuple[Connection, Source]]:
    keys: dict[str, tuple[Callable[[Row], Any], bool]] = {
        "LAST_MESSAGE_AT_DESC": (_recent, True),
        "CREATED_AT_DESC": (attrgetter("created_at", "id"), True),
        "CREATED_AT_ASC": (attrgetter("created_at", "id"), False),
        "TITLE_ASC": (attrgetter("title", "id"), False),
    }
    return {
        order: (
            Connection("conversations(@, orderBy: $o)", {"o": order}, "$o: ConversationOrder"),
            Source("Conversation", "conversations", key, descending, _mine),
        )
        for order, (key, descending) in keys.items()
    }


def of_conversation(talk: UUID) -> dict[str, tuple[Connection, Source]]:
    def within(row: Row) -> bool:
        return bool(row.conversation_id == talk)

    def inside(path: str) -> Connection:
        path = f"node(id: $id) {{ ... on Conversation {{ {path}"
        return Connection(path, {"id": gid("Conversation", talk)}, "$id: ID!")

    sequence, joined = attrgetter("sequence"), attrgetter("created_at", "id")
    return {
        "messages": (
            inside("messages(@)"),
            Source("Message", "messages", sequence, False, lambda m: within(m) and _alive(m)),
        ),
        "all messages": (
            inside("messages(@, includeDeleted: true)"),
            Source("Message", "messages", sequence, False, within),
        ),
        "participants": (
            inside("participants(@)"),
            Source("User", "participants", joined, False, within, "user_id"),
        ),
    }


def of_workspace() -> dict[str, tuple[Connection, Source]]:
    newest = attrgetter("created_at", "id")
    active = attrgetter("is_active")
    people = "memberships m JOIN users u ON u.id = m.user_id"
    return {
        "of a user": (
            Connection("viewer { user { conversations(@)"),
            Source("Conversation", "conversations", _recent, True, _mine),
        ),
        "members": (
            Connection("tenant { members(@)"),
            Source("Membership", "memberships", newest, False, active),
        ),
        "users": (
            Connection("users(@)"),
            Source("User", people, attrgetter("username"), False, active, "user_id"),
        ),
        "documents": (
            Connection("documents(@)"),
            Source("Document", "documents", newest, True, _alive),
        ),
        "found documents": (  # with equal scores
            Connection("documents(@, filter: $f)", {"f": FOUND}, "$f: DocumentFilter"),
            Source("Document", "documents", newest, True, _alive),
        ),
        "audit events": (
            Connection("auditEvents(@)"),
            Source("AuditEvent", "audit_events", newest, True),
        ),
        "nothing": (
            Connection('users(@, search: "nobody")'),
            Source("User", "users", newest, False, lambda _: False),
        ),
    }


def of_document(document: UUID) -> dict[str, tuple[Connection, Source]]:
    citing = "message_documents md JOIN messages m ON m.id = md.message_id"
    return {
        "cited by": (
            Connection(
                "node(id: $id) { ... on Document { citedBy(@)",
                {"id": gid("Document", document)},
                "$id: ID!",
            ),
            Source(
                "Message",
                citing,
                attrgetter("created_at", "message_id"),
                True,
                lambda row: row.document_id == document and _alive(row),
                "message_id",
            ),
        )
    }


async def model(cast: Cast, source: Source) -> list[str]:
    """The ids of a connection's nodes, in order."""
    columns = "m.is_active, m.user_id, u.username" if "users u" in source.table else "*"
    rows = await cast.connection.fetch(f"SELECT {columns} FROM {source.table}", record_class=Row)
    rows = sorted(filter(source.belongs, rows), key=source.key, reverse=source.descending)
    return [gid(source.node_type, row[source.id]) for row in rows]

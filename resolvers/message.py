from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from core.viewer import Viewer
from resolvers.access import ONE_BY_ONE, sees_each
from resolvers.loading import by_key, counts_by_key
from resolvers.lookup import Lookup
from resolvers.order import Key, Order
from resolvers.page_batch import PageBatch, fetch_pages
from resolvers.paging import CountRow, Page, Slice
from tables.engine import DB, Row

# A deleted message keeps its place, not what it said.
COLUMNS = """m.id, m.conversation_id, m.author_id, m.sequence, m.role, m.token_count,
    CASE WHEN m.deleted_at IS NULL THEN m.content ELSE '' END AS content,
    CASE WHEN m.deleted_at IS NULL THEN m.metadata ELSE '{}' END AS metadata,
    m.created_at, m.edited_at, m.deleted_at"""

BY_SEQUENCE = Order("message", (Key("m.sequence", "sequence", "int4"),))
NEWEST = Order(
    "message.newest",
    (Key("m.created_at", "created_at", "timestamptz"), Key("m.id", "id", "uuid")),
    descending=True,
)


class MessageRole(StrEnum):
    USER = "USER"
    ASSISTANT = "ASSISTANT"
    SYSTEM = "SYSTEM"


class MessageRow(Row):
    node_type = "Message"
    id: UUID
    conversation_id: UUID
    deleted_at: datetime | None


def seen_messages(viewer: Viewer) -> str:
    """Messages `m` that are not deleted, of conversations `c` that the viewer sees."""
    return f"""JOIN conversations c ON c.tenant_id = $1 AND c.id = m.conversation_id
        WHERE m.tenant_id = $1 AND m.deleted_at IS NULL AND c.deleted_at IS NULL
        AND {sees_each(viewer)}"""


async def messages_by_id(viewer: Viewer, ids: Sequence[UUID]) -> list[MessageRow | None]:
    rows = await DB.fetch(
        MessageRow,
        f"""SELECT m.* FROM unnest($3::uuid[]) AS one (id) CROSS JOIN LATERAL (SELECT {COLUMNS}
            FROM messages m {seen_messages(viewer)} AND m.id = one.id {ONE_BY_ONE}) AS m""",
        viewer.tenant_id,
        viewer.user_id,
        ids,
    )
    return by_key(rows, ids, "id")


_OF_CONVERSATION = "FROM messages m WHERE m.tenant_id = $1 AND m.conversation_id = {}"
_OF_PARENT = _OF_CONVERSATION.format("parent.id")


messages_by_conversation = PageBatch(
    MessageRow, f"SELECT {COLUMNS} {_OF_PARENT} AND m.deleted_at IS NULL", BY_SEQUENCE
)
"""Of conversations that the viewer is known to see."""

all_messages_by_conversation = PageBatch(MessageRow, f"SELECT {COLUMNS} {_OF_PARENT}", BY_SEQUENCE)
"""As `messages_by_conversation`, with deleted ones."""


async def deleted_message_counts_by_conversation(viewer: Viewer, ids: Sequence[UUID]) -> list[int]:
    """Of conversations that the viewer is known to see."""
    rows = await DB.fetch(
        CountRow,
        """SELECT m.conversation_id AS id, count(*) AS total FROM messages m
        WHERE m.tenant_id = $1 AND m.conversation_id = ANY($2) AND m.deleted_at IS NOT NULL
        GROUP BY m.conversation_id""",
        viewer.tenant_id,
        ids,
    )
    return counts_by_key(rows, ids)


def _last(columns: str, conversation: str) -> str:
    return f"""SELECT {columns} {_OF_CONVERSATION.format(conversation)} AND m.deleted_at IS NULL
        ORDER BY m.sequence DESC LIMIT 1"""


last_messages_by_conversation = Lookup(MessageRow, COLUMNS, _last, key="conversation_id")
"""Of conversations that the viewer is known to see."""


async def messages_by_document(
    viewer: Viewer, keys: Sequence[tuple[UUID, Page]]
) -> list[Slice[MessageRow]]:
    """The messages that used a document, newest first."""
    sql = f"""SELECT {COLUMNS} FROM message_documents md
        JOIN messages m ON m.tenant_id = $1 AND m.id = md.message_id {seen_messages(viewer)}
        AND md.tenant_id = $1 AND md.document_id = parent.id"""
    return await fetch_pages(MessageRow, sql, NEWEST, keys, viewer.tenant_id, viewer.user_id)


async def message_counts_by_document(viewer: Viewer, ids: Sequence[UUID]) -> list[int]:
    rows = await DB.fetch(
        CountRow,
        f"""SELECT md.document_id AS id, count(*) AS total FROM message_documents md
        JOIN messages m ON m.tenant_id = $1 AND m.id = md.message_id {seen_messages(viewer)}
        AND md.tenant_id = $1 AND md.document_id = ANY($3) GROUP BY md.document_id""",
        viewer.tenant_id,
        viewer.user_id,
        ids,
    )
    return counts_by_key(rows, ids)

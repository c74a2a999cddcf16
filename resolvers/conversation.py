from collections.abc import Sequence
from datetime import datetime
from enum import Enum
from uuid import UUID

from core.errors import NotFound
from core.text import storable
from core.viewer import Viewer
from resolvers.access import JOIN_ME, ONE_BY_ONE, sees_conversation, sees_deleted
from resolvers.conversation_locking import NO_CONVERSATION
from resolvers.loading import Known, by_key
from resolvers.lookahead import NOTHING_AHEAD, Ahead, fetch_ahead
from resolvers.order import Key, Order
from tables.engine import Row

_STORED = """c.id, c.tenant_id, c.version, c.short_id, c.title, c.owner_id, c.message_count,
    c.last_message_at, c.created_at, c.updated_at, c.deleted_at,
    coalesce(c.last_message_at, c.created_at) AS recent_at"""
_UNREAD = "coalesce(greatest(c.message_count - {}, 0), 0) AS unread_count"
COLUMNS = f"{_STORED}, {_UNREAD.format('me.read_count')}"

_READ_COUNT = """(SELECT me.read_count FROM participants me
    WHERE me.tenant_id = $1 AND me.conversation_id = c.id AND me.user_id = $2)"""
LISTED = f"{_STORED}, {_UNREAD.format(_READ_COUNT)}"
"""Without JOIN_ME: looked up for the rows of a page only."""

_ID = Key("c.id", "id", "uuid")
_RECENT = Key("coalesce(c.last_message_at, c.created_at)", "recent_at", "timestamptz")
_CREATED = Key("c.created_at", "created_at", "timestamptz")
_TITLE = Key("c.title", "title", "text")


class ConversationOrder(Enum):
    LAST_MESSAGE_AT_DESC = Order("conversation.recent", (_RECENT, _ID), descending=True)
    CREATED_AT_DESC = Order("conversation.newest", (_CREATED, _ID), descending=True)
    CREATED_AT_ASC = Order("conversation.oldest", (_CREATED, _ID))
    TITLE_ASC = Order("conversation.title", (_TITLE, _ID))


RECENT = ConversationOrder.LAST_MESSAGE_AT_DESC.value


class ConversationRow(Row):
    node_type = "Conversation"
    id: UUID
    tenant_id: UUID
    version: int
    deleted_at: datetime | None


def _source(viewer: Viewer, *, include_deleted: bool = False) -> str:
    return f"""FROM conversations c {JOIN_ME} WHERE c.tenant_id = $1
        AND {sees_conversation(viewer)}
        AND {sees_deleted(viewer, "c", include_deleted=include_deleted)}"""


async def conversations_by_id(
    viewer: Viewer, ids: Sequence[UUID], *, include_deleted: bool = False
) -> list[ConversationRow | None]:
    rows, _ = await _fetch(viewer, ids, include_deleted=include_deleted)
    return by_key(rows, ids, "id")


async def conversations_ahead(
    viewer: Viewer, keys: Sequence[tuple[UUID, Ahead]]
) -> list[tuple[ConversationRow | None, Known]]:
    """By their ids, with what comes along with them."""
    found: dict[tuple[UUID, Ahead], tuple[ConversationRow | None, Known]] = {}
    for ahead in dict.fromkeys(ahead for _, ahead in keys):
        ids = [id for id, asked in keys if asked == ahead]
        rows, known = await _fetch(viewer, ids, ahead)
        for id, row in zip(ids, by_key(rows, ids, "id"), strict=True):
            found[id, ahead] = row, known
    return [found[key] for key in keys]


async def _fetch(
    viewer: Viewer,
    ids: Sequence[UUID],
    ahead: Ahead = NOTHING_AHEAD,
    *,
    include_deleted: bool = False,
) -> tuple[list[ConversationRow], Known]:
    return await fetch_ahead(
        ConversationRow,
        f"""SELECT c.* FROM unnest($3::uuid[]) AS one (id) CROSS JOIN LATERAL (
            SELECT {COLUMNS} {_source(viewer, include_deleted=include_deleted)}
            AND c.id = one.id {ONE_BY_ONE}) AS c""",
        ahead,
        [viewer.tenant_id, viewer.user_id, ids],
    )


async def conversations_by_message(
    viewer: Viewer, ids: Sequence[UUID]
) -> list[ConversationRow | NotFound]:
    """By their ids, from messages: who came here through a deleted conversation, stays in it. Who
    has just changed a message may see its conversation no more."""
    rows = await conversations_by_id(viewer, ids, include_deleted=True)
    return [row or NotFound(NO_CONVERSATION) for row in rows]


async def conversation_by_short_id(
    viewer: Viewer, short_id: str, ahead: Ahead
) -> tuple[ConversationRow | None, Known]:
    rows, known = await fetch_ahead(
        ConversationRow,
        f"SELECT {COLUMNS} {_source(viewer)} AND c.short_id = $3",
        ahead,
        [viewer.tenant_id, viewer.user_id, storable(short_id, "by", "shortId")],
    )
    return (rows[0] if rows else None), known

"""The row lock of a conversation, which every rule takes first that writes to it or in it."""

from datetime import datetime
from uuid import UUID

from core.errors import NotFound
from core.viewer import Viewer
from resolvers.access import (
    JOIN_ME,
    JOIN_MEMBERSHIP,
    REACHES,
    REACHES_DELETED,
    STANDING,
    Standing,
)
from tables.engine import DB


class LockedConversation(Standing):
    """A conversation, with what the viewer may do in it."""

    id: UUID
    title: str
    deleted_at: datetime | None
    last_sequence: int
    message_count: int


NO_CONVERSATION = "There is no such conversation."

_LOCK = f"""SELECT c.id, c.title, c.deleted_at, c.last_sequence, c.message_count, {STANDING}
    FROM conversations c {JOIN_ME} {JOIN_MEMBERSHIP}
    WHERE c.tenant_id = $1 AND c.id = $3
    AND (c.deleted_at IS NULL AND {REACHES} OR $4 AND {REACHES_DELETED})
    FOR NO KEY UPDATE OF c"""


async def locked_conversation(
    viewer: Viewer, id: UUID, missing: NotFound, *, include_deleted: bool = False
) -> LockedConversation:
    """In the caller's scope. Raises `missing` when the viewer does not see it."""
    rows: list[LockedConversation] = []
    # Twice: who takes part may have changed while the first waited for the lock, and it would
    # not have seen that.
    for _ in range(2):
        rows = await DB.fetch(
            LockedConversation, _LOCK, viewer.tenant_id, viewer.user_id, id, include_deleted
        )
        if not rows:
            raise missing
    return rows[0]

"""How far somebody has read a conversation."""

from uuid import UUID

from core.errors import BadInput, NotFound
from core.viewer import Viewer
from resolvers.access import require_part
from resolvers.conversation import ConversationRow
from resolvers.conversation_locking import NO_CONVERSATION, LockedConversation, locked_conversation
from resolvers.conversation_writing import shown
from tables.engine import DB


async def mark_conversation_read(
    viewer: Viewer, id: UUID, sequence: int | None = None
) -> ConversationRow:
    """Up to a message, or all. What was read stays read: an older sequence changes nothing.
    Raises BadInput, NotFound, Forbidden."""
    async with DB.tenant(viewer.tenant_id):
        conversation = await locked_conversation(viewer, id, NotFound(NO_CONVERSATION, ("id",)))
        require_part(conversation)
        last = conversation.last_sequence
        if sequence is not None and not 0 <= sequence <= last:
            raise BadInput(f"Must be 0 to {last}.", ("sequence",))
        await _advance(viewer, conversation, last if sequence is None else sequence)
        return await shown(viewer, id)


async def _advance(viewer: Viewer, conversation: LockedConversation, sequence: int) -> None:
    """Counts what is read now and was not before; nothing when that is all, since whoever says
    something waits meanwhile."""
    await DB.execute(
        """UPDATE participants p SET last_read_sequence = $4, read_count = CASE
            WHEN $4 = $5 THEN $6 ELSE p.read_count + (SELECT count(*) FROM messages m
                WHERE m.tenant_id = $1 AND m.conversation_id = $3 AND m.deleted_at IS NULL
                AND m.sequence > p.last_read_sequence AND m.sequence <= $4) END
        WHERE p.tenant_id = $1 AND p.user_id = $2 AND p.conversation_id = $3
        AND p.last_read_sequence < $4""",
        viewer.tenant_id,
        viewer.user_id,
        conversation.id,
        sequence,
        conversation.last_sequence,
        conversation.message_count,
    )

"""Who takes part in a conversation."""

from uuid import UUID

from core.errors import Conflict, NotFound
from core.viewer import Caller, Viewer
from resolvers.access import require_charge
from resolvers.audit_event import record
from resolvers.conversation import ConversationRow, conversations_by_id
from resolvers.conversation_change import tell_change
from resolvers.conversation_locking import NO_CONVERSATION, LockedConversation, locked_conversation
from resolvers.conversation_writing import shown
from resolvers.user import participant_counts_by_conversation
from tables.engine import DB, IdRow

MAX_PARTICIPANTS = 1000
"""Of a conversation. All of them are told of each message."""


async def add_participant(
    viewer: Viewer, caller: Caller, conversation_id: UUID, user_id: UUID
) -> ConversationRow:
    """Of its owner and admins, who may add themselves. All is unread to who is new. Raises
    NotFound, Forbidden, Conflict when there are too many."""
    async with DB.tenant(viewer.tenant_id):
        require_charge(await _locked(viewer, conversation_id))
        if not await _takes_part(viewer, conversation_id, user_id):
            await _require_room(viewer, conversation_id)
            await _insert(viewer, conversation_id, user_id)
            await _touch(viewer, conversation_id)
            await _record(viewer, caller, "participant.added", conversation_id, user_id)
        return await shown(viewer, conversation_id)


async def remove_participant(
    viewer: Viewer, caller: Caller, conversation_id: UUID, user_id: UUID
) -> ConversationRow | None:
    """Oneself, who leaves; anybody, for its owner and admins. None when the viewer does not see
    it any more. Raises NotFound, Forbidden."""
    async with DB.tenant(viewer.tenant_id):
        conversation = await _locked(viewer, conversation_id)
        if user_id != viewer.user_id:
            require_charge(conversation)
        rows = await DB.fetch(
            IdRow,
            """DELETE FROM participants p WHERE p.tenant_id = $1 AND p.conversation_id = $2
            AND p.user_id = $3 RETURNING p.id""",
            viewer.tenant_id,
            conversation_id,
            user_id,
        )
        if not rows:
            raise NotFound("Does not take part in the conversation.", ("userId",))
        await _touch(viewer, conversation_id)
        await _record(viewer, caller, "participant.removed", conversation_id, user_id)
        (row,) = await conversations_by_id(viewer, [conversation_id])
        return row


async def _locked(viewer: Viewer, id: UUID) -> LockedConversation:
    return await locked_conversation(viewer, id, NotFound(NO_CONVERSATION, ("conversationId",)))


async def _takes_part(viewer: Viewer, conversation_id: UUID, user_id: UUID) -> bool:
    rows = await DB.fetch(
        IdRow,
        """SELECT p.id FROM participants p JOIN memberships m
            ON m.tenant_id = $1 AND m.user_id = p.user_id AND m.is_active
        WHERE p.tenant_id = $1 AND p.conversation_id = $2 AND p.user_id = $3""",
        viewer.tenant_id,
        conversation_id,
        user_id,
    )
    return bool(rows)


async def _require_room(viewer: Viewer, conversation_id: UUID) -> None:
    (taken,) = await participant_counts_by_conversation(viewer, [conversation_id])
    if taken >= MAX_PARTICIPANTS:
        raise Conflict(f"Has {MAX_PARTICIPANTS} participants already.", ("conversationId",))


async def _insert(viewer: Viewer, conversation_id: UUID, user_id: UUID) -> None:
    rows = await DB.fetch(
        IdRow,
        """INSERT INTO participants (tenant_id, conversation_id, user_id)
        SELECT $1, $2, u.id FROM tenant_users u WHERE u.tenant_id = $1 AND u.id = $3
        AND u.membership_is_active AND u.is_active RETURNING id""",
        viewer.tenant_id,
        conversation_id,
        user_id,
    )
    if not rows:
        raise NotFound("Is not a member of this workspace.", ("userId",))


async def _touch(viewer: Viewer, id: UUID) -> None:
    """Who takes part is a part of the conversation: inboxes are to see it anew."""
    await DB.execute(
        "UPDATE conversations c SET updated_at = now() WHERE c.tenant_id = $1 AND c.id = $2",
        viewer.tenant_id,
        id,
    )
    tell_change(viewer, id)


async def _record(
    viewer: Viewer, caller: Caller, action: str, conversation_id: UUID, user_id: UUID
) -> None:
    target = ("Conversation", conversation_id)
    await record(viewer.tenant_id, viewer.user_id, caller, action, target, userId=str(user_id))

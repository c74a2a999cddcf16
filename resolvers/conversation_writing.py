"""Making a conversation, and changing it as a whole."""

import secrets
from collections.abc import Sequence
from uuid import UUID

from core.errors import BadInput, NotFound
from core.viewer import Caller, Viewer
from resolvers.access import no_member, require_charge
from resolvers.audit_event import record
from resolvers.conversation import ConversationRow, conversations_by_id
from resolvers.conversation_change import tell_change
from resolvers.conversation_locking import NO_CONVERSATION, LockedConversation, locked_conversation
from resolvers.idempotency import digest, key_taken
from resolvers.validation import IdempotencyKey, Input, Title, validated
from tables.engine import DB, IdRow, Row

MAX_FIRST_PARTICIPANTS = 100
SHORT_ID_BYTES = 9
"""72 random bits: a second conversation with the same ones is not to be expected."""


class NewConversation(Input):
    title: Title
    idempotency_key: IdempotencyKey | None = None


class NewTitle(Input):
    title: Title


class EarlierRow(Row):
    id: UUID
    request_digest: bytes


async def create_conversation(
    viewer: Viewer,
    title: str,
    participant_ids: Sequence[UUID] = (),
    idempotency_key: str | None = None,
) -> ConversationRow:
    """Whoever makes it owns it and takes part. Raises BadInput, NotFound, Conflict, Forbidden."""
    new = validated(NewConversation, title=title, idempotency_key=idempotency_key)
    if len(participant_ids) > MAX_FIRST_PARTICIPANTS:
        raise BadInput(f"Are more than {MAX_FIRST_PARTICIPANTS}.", ("participantIds",))
    people = sorted({viewer.user_id, *participant_ids})
    request = digest(new.title, people)
    async with DB.tenant(viewer.tenant_id):
        id = await _insert(viewer, new, request)
        if id is None:
            id = await _earlier(viewer, new, request)
        else:
            await _bring_in(viewer, id, people)
            tell_change(viewer, id)
        return await shown(viewer, id)


async def _insert(viewer: Viewer, new: NewConversation, request: bytes) -> UUID | None:
    """None when the key was used before."""
    rows = await DB.fetch(
        IdRow,
        """INSERT INTO conversations
            (tenant_id, owner_id, title, short_id, idempotency_key, request_digest)
        VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (tenant_id, owner_id, idempotency_key)
        WHERE idempotency_key IS NOT NULL DO NOTHING RETURNING id""",
        viewer.tenant_id,
        viewer.user_id,
        new.title,
        secrets.token_urlsafe(SHORT_ID_BYTES),
        new.idempotency_key,
        request if new.idempotency_key else None,
    )
    return rows[0].id if rows else None


async def _earlier(viewer: Viewer, new: NewConversation, request: bytes) -> UUID:
    (earlier,) = await DB.fetch(
        EarlierRow,
        """SELECT c.id, c.request_digest FROM conversations c
        WHERE c.tenant_id = $1 AND c.owner_id = $2 AND c.idempotency_key = $3""",
        viewer.tenant_id,
        viewer.user_id,
        new.idempotency_key,
    )
    if earlier.request_digest != request:
        raise key_taken()
    return earlier.id


async def _bring_in(viewer: Viewer, id: UUID, people: Sequence[UUID]) -> None:
    rows = await DB.fetch(
        IdRow,
        """INSERT INTO participants (tenant_id, conversation_id, user_id)
        SELECT $1, $2, u.id FROM tenant_users u WHERE u.tenant_id = $1 AND u.id = ANY($3)
        AND u.membership_is_active AND u.is_active RETURNING user_id AS id""",
        viewer.tenant_id,
        id,
        people,
    )
    missing = set(people) - {row.id for row in rows}
    if viewer.user_id in missing:
        raise no_member()
    if missing:
        raise NotFound("Not all are members of this workspace.", ("participantIds",))


async def rename_conversation(viewer: Viewer, id: UUID, title: str) -> ConversationRow:
    """Of its owner and admins. Raises BadInput, NotFound, Forbidden."""
    new = validated(NewTitle, title=title)
    async with DB.tenant(viewer.tenant_id):
        before = await _in_charge(viewer, id)
        if before.title != new.title:
            await DB.execute(
                "UPDATE conversations c SET title = $3 WHERE c.tenant_id = $1 AND c.id = $2",
                viewer.tenant_id,
                id,
                new.title,
            )
            tell_change(viewer, id)
        return await shown(viewer, id)


async def delete_conversation(viewer: Viewer, caller: Caller, id: UUID) -> ConversationRow:
    """Of its owner and admins, who may restore it. Raises NotFound, Forbidden."""
    return await _set_deleted(viewer, caller, id, deleted=True)


async def restore_conversation(viewer: Viewer, caller: Caller, id: UUID) -> ConversationRow:
    """Raises NotFound, Forbidden."""
    return await _set_deleted(viewer, caller, id, deleted=False)


async def _set_deleted(
    viewer: Viewer, caller: Caller, id: UUID, *, deleted: bool
) -> ConversationRow:
    async with DB.tenant(viewer.tenant_id):
        before = await _in_charge(viewer, id, include_deleted=True)
        if (before.deleted_at is not None) != deleted:
            await DB.execute(
                """UPDATE conversations c SET deleted_at = CASE WHEN $3 THEN now() END
                WHERE c.tenant_id = $1 AND c.id = $2""",
                viewer.tenant_id,
                id,
                deleted,
            )
            tell_change(viewer, id)
            action = "conversation.deleted" if deleted else "conversation.restored"
            await record(viewer.tenant_id, viewer.user_id, caller, action, ("Conversation", id))
        return await shown(viewer, id)


async def _in_charge(
    viewer: Viewer, id: UUID, *, include_deleted: bool = False
) -> LockedConversation:
    conversation = await locked_conversation(
        viewer, id, NotFound(NO_CONVERSATION, ("id",)), include_deleted=include_deleted
    )
    require_charge(conversation)
    return conversation


async def shown(viewer: Viewer, id: UUID) -> ConversationRow:
    """As it is now. Raises NotFound."""
    (row,) = await conversations_by_id(viewer, [id], include_deleted=True)
    if row is None:
        raise NotFound(NO_CONVERSATION)
    return row

"""Changing what was said. Each change takes the next version of the conversation."""

from uuid import UUID

from core.errors import NotFound
from core.viewer import Caller, Viewer
from resolvers.access import require_author, require_author_or_admin
from resolvers.audit_event import record
from resolvers.conversation_change import tell_change
from resolvers.conversation_locking import LockedConversation, locked_conversation
from resolvers.message import COLUMNS, MessageRow
from resolvers.message_change import logged
from resolvers.validation import Input, MessageContent, validated
from tables.engine import DB, Row


class NewContent(Input):
    content: MessageContent


class PlaceRow(Row):
    conversation_id: UUID


class EditableRow(MessageRow):
    author_id: UUID | None
    content: str


async def edit_message(viewer: Viewer, id: UUID, content: str) -> MessageRow:
    """Of its author. The same content is no change. Raises BadInput, NotFound, Forbidden."""
    new = validated(NewContent, content=content)
    async with DB.tenant(viewer.tenant_id):
        _, before = await _locked(viewer, id)
        if before.deleted_at is not None:
            raise _missing()
        require_author(viewer, before.author_id)
        if before.content == new.content:
            return before
        (after,) = await DB.fetch(
            MessageRow,
            f"""WITH counted AS (UPDATE conversations c SET version = c.version + 1
                WHERE c.tenant_id = $1 AND c.id = $2 RETURNING c.version
            ), {logged("'EDITED'")}
            UPDATE messages m SET content = $4, edited_at = now(), version = counted.version
            FROM counted WHERE m.tenant_id = $1 AND m.id = $3 RETURNING {COLUMNS}""",
            viewer.tenant_id,
            before.conversation_id,
            id,
            new.content,
        )
        tell_change(viewer, before.conversation_id)
        return after


async def delete_message(viewer: Viewer, caller: Caller, id: UUID) -> MessageRow:
    """Of its author and admins, who may restore it. Raises NotFound, Forbidden."""
    return await _set_deleted(viewer, caller, id, deleted=True)


async def restore_message(viewer: Viewer, caller: Caller, id: UUID) -> MessageRow:
    """Raises NotFound, Forbidden."""
    return await _set_deleted(viewer, caller, id, deleted=False)


async def _set_deleted(viewer: Viewer, caller: Caller, id: UUID, *, deleted: bool) -> MessageRow:
    async with DB.tenant(viewer.tenant_id):
        conversation, before = await _locked(viewer, id)
        require_author_or_admin(viewer, conversation, before.author_id)
        if (before.deleted_at is not None) == deleted:
            return before
        after = await _count(viewer, before, deleted=deleted)
        action = "message.deleted" if deleted else "message.restored"
        await record(viewer.tenant_id, viewer.user_id, caller, action, ("Message", id))
        return after


async def _count(viewer: Viewer, message: MessageRow, *, deleted: bool) -> MessageRow:
    """Also for those who have read it: to them it is one less, or one more, that they have."""
    (after,) = await DB.fetch(
        MessageRow,
        f"""WITH counted AS (
            UPDATE conversations c SET version = c.version + 1, message_count = c.message_count + $4
            WHERE c.tenant_id = $1 AND c.id = $2 RETURNING c.version
        ), {logged("CASE WHEN $4 < 0 THEN 'DELETED' ELSE 'RESTORED' END")}, changed AS (
            UPDATE messages m SET deleted_at = CASE WHEN $4 < 0 THEN now() END,
                version = counted.version
            FROM counted WHERE m.tenant_id = $1 AND m.id = $3 RETURNING {COLUMNS}
        ), readers AS (
            UPDATE participants p SET read_count = p.read_count + $4
            FROM changed WHERE p.tenant_id = $1 AND p.conversation_id = $2
            AND p.last_read_sequence >= changed.sequence
        )
        SELECT * FROM changed""",
        viewer.tenant_id,
        message.conversation_id,
        message.id,
        -1 if deleted else 1,
    )
    tell_change(viewer, message.conversation_id)
    return after


async def _locked(viewer: Viewer, id: UUID) -> tuple[LockedConversation, EditableRow]:
    """A message, once its conversation is locked. Raises NotFound."""
    places = await DB.fetch(
        PlaceRow,
        "SELECT m.conversation_id FROM messages m WHERE m.tenant_id = $1 AND m.id = $2",
        viewer.tenant_id,
        id,
    )
    if not places:
        raise _missing()
    conversation = await locked_conversation(viewer, places[0].conversation_id, _missing())
    # Locked itself, too: who purges what was deleted takes no lock on conversations.
    messages = await DB.fetch(
        EditableRow,
        f"""SELECT {COLUMNS} FROM messages m WHERE m.tenant_id = $1 AND m.id = $2
        FOR NO KEY UPDATE""",
        viewer.tenant_id,
        id,
    )
    if not messages:
        raise _missing()
    return conversation, messages[0]


def _missing() -> NotFound:
    return NotFound("There is no such message.", ("id",))

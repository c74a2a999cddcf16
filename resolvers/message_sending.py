"""Saying something in a conversation."""

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

import asyncpg
from pydantic import Field

from core.errors import BadInput, Conflict, NotFound, RuleError
from core.viewer import Viewer
from resolvers.access import (
    IS_ADMIN,
    JOIN_ME,
    JOIN_MEMBERSHIP,
    ONE_BY_ONE,
    OWNS,
    REACHES,
    TAKES_PART,
    require_charge,
    require_part,
)
from resolvers.conversation_change import tell_change
from resolvers.conversation_locking import NO_CONVERSATION, locked_conversation
from resolvers.document import MAX_CITATIONS
from resolvers.idempotency import digest, key_taken
from resolvers.message import COLUMNS, MessageRole, MessageRow
from resolvers.user import UserRow, users_by_id
from resolvers.validation import IdempotencyKey, Input, JSONObject, MessageContent, validated
from tables.engine import DB


class NewMessage(Input):
    content: MessageContent
    role: MessageRole
    token_count: Annotated[int, Field(ge=0)] | None
    metadata: JSONObject
    idempotency_key: IdempotencyKey | None
    document_ids: Sequence[UUID]

    @property
    def digest(self) -> bytes:
        return digest(self.role, self.content, self.token_count, self.document_ids, self.metadata)


class SentRow(MessageRow):
    """With its author, whom most ask for."""

    request_digest: bytes | None
    author_id: UUID | None

    @property
    def authors(self) -> dict[UUID, UserRow]:
        """By id; none of the assistant and the system."""
        return {author.id: author for author in users_by_id.read(self.people)}


_AUTHOR = users_by_id.one("sent.author_id")
_MAY_SAY = f"CASE WHEN $4 = 'USER' THEN {TAKES_PART} ELSE {IS_ADMIN} OR {OWNS} END"

# One statement, so that the lock is held for one round trip and the commit. What it reads is as
# it was when it began, but for the rows that it changes or locks: who stops taking part while it
# waits has no row to change, nor to lock who leaves or may no longer say it; a key that is used
# meanwhile is found by its index.
_SEND = f"""
WITH standing AS (
    SELECT c.id FROM conversations c {JOIN_ME} {JOIN_MEMBERSHIP}
    WHERE c.tenant_id = $1 AND c.id = $3 AND c.deleted_at IS NULL AND {REACHES} AND {_MAY_SAY}
), earlier AS (
    SELECT {COLUMNS}, m.request_digest FROM standing JOIN messages m
        ON m.tenant_id = $1 AND m.conversation_id = $3 AND m.idempotency_key = $9
), cited AS (
    SELECT d.id, given.position FROM unnest($8::uuid[]) WITH ORDINALITY AS given (id, position)
    CROSS JOIN LATERAL (SELECT d.id FROM documents d
        WHERE d.tenant_id = $1 AND d.id = given.id AND d.deleted_at IS NULL {ONE_BY_ONE}) AS d
), locked AS (
    UPDATE conversations c SET last_sequence = c.last_sequence + 1, version = c.version + 1,
        message_count = c.message_count + 1,
        last_message_at = greatest(c.last_message_at, now())
    FROM standing WHERE c.tenant_id = $1 AND c.id = $3 AND c.deleted_at IS NULL
    AND NOT EXISTS (SELECT FROM earlier)
    AND (SELECT count(*) FROM cited) = cardinality($8::uuid[])
    RETURNING c.id, c.last_sequence, c.version, c.message_count, c.last_message_at,
        {OWNS} AS owns
), counted AS (
    SELECT locked.*, {IS_ADMIN} AS is_admin FROM locked {JOIN_MEMBERSHIP}
    WHERE $4 = 'USER' OR {IS_ADMIN} OR locked.owns FOR SHARE OF mine
), reader AS (
    UPDATE participants p SET
        last_read_sequence =
            CASE WHEN $4 = 'USER' THEN counted.last_sequence ELSE p.last_read_sequence END,
        read_count = CASE WHEN $4 = 'USER' THEN counted.message_count ELSE p.read_count END
    FROM counted WHERE p.tenant_id = $1 AND p.conversation_id = $3 AND p.user_id = $2
    RETURNING p.id
), said AS (
    INSERT INTO messages AS m (tenant_id, conversation_id, author_id, sequence, version, role,
        content, token_count, metadata, idempotency_key, request_digest, created_at)
    SELECT $1, counted.id, CASE WHEN $4 = 'USER' THEN $2::uuid END, counted.last_sequence,
        counted.version, $4, $5, $6::int, $7::jsonb, $9, $10::bytea, counted.last_message_at
    FROM counted WHERE EXISTS (SELECT FROM reader) OR $4 <> 'USER' AND counted.is_admin
    RETURNING {COLUMNS}, m.request_digest
), used AS (
    INSERT INTO message_documents (tenant_id, message_id, document_id, position)
    SELECT $1, said.id, cited.id, cited.position - 1 FROM said CROSS JOIN cited
)
SELECT sent.*, ARRAY(SELECT one FROM ({_AUTHOR}) AS one) AS people
    FROM (SELECT * FROM said UNION ALL SELECT * FROM earlier) AS sent"""


async def send_message(
    viewer: Viewer,
    conversation_id: UUID,
    content: str,
    role: MessageRole = MessageRole.USER,
    token_count: int | None = None,
    used_document_ids: Sequence[UUID] = (),
    metadata: object = None,
    idempotency_key: str | None = None,
) -> SentRow:
    """Participants say something as themselves; the owner and admins as ASSISTANT or SYSTEM. With
    a key that was used for the same request, the message of then. Raises BadInput, NotFound,
    Forbidden, Conflict."""
    new = validated(
        NewMessage,
        content=content,
        role=role,
        token_count=token_count,
        metadata={} if metadata is None else metadata,
        idempotency_key=idempotency_key,
        document_ids=_citations(used_document_ids),
    )
    try:
        return await _sent(viewer, conversation_id, new)
    except asyncpg.UniqueViolationError:
        if new.idempotency_key is None:
            raise
        # Another request with the key was faster. The numbers went back with the transaction.
        return await _sent(viewer, conversation_id, new)


def _citations(ids: Sequence[UUID]) -> Sequence[UUID]:
    if len(ids) > MAX_CITATIONS:
        raise BadInput(f"Are more than {MAX_CITATIONS}.", ("usedDocumentIds",))
    if len(set(ids)) < len(ids):
        raise BadInput("Has a document twice.", ("usedDocumentIds",))
    return ids


async def _sent(viewer: Viewer, conversation_id: UUID, new: NewMessage) -> SentRow:
    async with DB.tenant(viewer.tenant_id):
        rows = await DB.fetch(
            SentRow,
            _SEND,
            viewer.tenant_id,
            viewer.user_id,
            conversation_id,
            new.role,
            new.content,
            new.token_count,
            new.metadata,
            new.document_ids,
            new.idempotency_key,
            new.digest if new.idempotency_key else None,
        )
        if not rows:  # raised, so that nothing is left of what the statement did
            raise await _refusal(viewer, conversation_id, new)
        message = rows[0]
        author = viewer.user_id if new.role is MessageRole.USER else None
        # Keys are of a conversation, not of a person: else messages of people who are gone, and
        # have no author, could come to have the same one. Nobody gets another's message for it.
        if new.idempotency_key and (message.request_digest, message.author_id) != (
            new.digest,
            author,
        ):
            raise key_taken()
        tell_change(viewer, conversation_id)
        return message


async def _refusal(viewer: Viewer, conversation_id: UUID, new: NewMessage) -> RuleError:
    """Why nothing was sent."""
    missing = NotFound(NO_CONVERSATION, ("conversationId",))
    try:
        conversation = await locked_conversation(viewer, conversation_id, missing)
        if new.role is MessageRole.USER:
            require_part(conversation)
        else:
            require_charge(conversation)
    except RuleError as error:
        return error
    if new.document_ids:
        return NotFound("Not all of them are there.", ("usedDocumentIds",))
    # Who was removed and came back while the statement waited: it saw the former only.
    return Conflict("Who takes part has just changed: try again.", ("conversationId",))

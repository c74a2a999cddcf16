"""Adding, changing, deleting and restoring documents."""

from typing import Any
from uuid import UUID

from pydantic import Field

from core.errors import BadInput, NotFound
from core.viewer import Caller, Viewer
from resolvers.access import (
    IS_ADMIN,
    IS_MEMBER,
    JOIN_MEMBERSHIP,
    no_member,
    require_document_change,
)
from resolvers.audit_event import record
from resolvers.document import COLUMNS, DocumentRow
from resolvers.idempotency import digest, key_taken
from resolvers.services import Services
from resolvers.validation import (
    ContentType,
    DocumentContent,
    Filename,
    IdempotencyKey,
    Input,
    JSONObject,
    Tags,
    validated,
)
from tables.engine import DB


class NewDocument(Input):
    filename: Filename
    content_type: ContentType
    content: DocumentContent
    metadata: JSONObject = Field(default_factory=dict)
    tags: Tags = ()
    idempotency_key: IdempotencyKey | None = None


class DocumentChanges(Input):
    """What is not given has no value in it, and is not validated."""

    filename: Filename = ""
    content: DocumentContent = ""
    metadata: JSONObject = Field(default_factory=dict)
    tags: Tags = ()


class KeyedRow(DocumentRow):
    request_digest: bytes


class LockedRow(DocumentRow):
    is_admin: bool


async def create_document(services: Services, viewer: Viewer, **values: Any) -> DocumentRow:
    """With the key of an earlier one, that one. Raises BadInput, Forbidden, Conflict when that was
    asked for otherwise."""
    new = validated(NewDocument, **values)
    size = _size(services, new.content)
    async with DB.tenant(viewer.tenant_id):
        return await _insert(viewer, new, size) or await _made_before(viewer, new)


async def update_document(
    services: Services, viewer: Viewer, id: UUID, **changes: Any
) -> DocumentRow:
    """Changes what is given: `filename`, `content`, `metadata`, `tags`. Raises BadInput,
    Forbidden, NotFound."""
    given = validated(DocumentChanges, **changes).model_dump(exclude_unset=True)
    size = _size(services, given["content"]) if "content" in given else None
    async with DB.tenant(viewer.tenant_id):
        before = await _to_change(viewer, id, include_deleted=False)
        return await _update(viewer, id, given, size) if given else before


async def delete_document(viewer: Viewer, caller: Caller, id: UUID) -> DocumentRow:
    """Softly. Raises Forbidden, NotFound."""
    return await _set_deleted(viewer, caller, id, is_deleted=True)


async def restore_document(viewer: Viewer, caller: Caller, id: UUID) -> DocumentRow:
    """Raises Forbidden, NotFound."""
    return await _set_deleted(viewer, caller, id, is_deleted=False)


def _size(services: Services, content: str) -> int:
    size, limit = len(content.encode()), services.settings.max_document_bytes
    if size > limit:
        raise BadInput(f"Has {size} bytes, more than {limit}.", ("content",))
    return size


def _digest(new: NewDocument) -> bytes:
    """Of what was asked for: the document may have changed since."""
    return digest(new.model_dump(exclude={"idempotency_key"}))


async def _insert(viewer: Viewer, new: NewDocument, size: int) -> DocumentRow | None:
    """None when the key is taken, or the viewer no member any more. A document that is made with
    the key at this moment is waited for."""
    rows = await DB.fetch(
        DocumentRow,
        f"""INSERT INTO documents AS d (tenant_id, owner_id, filename, content_type, content,
            size, metadata, tags, idempotency_key, request_digest)
        SELECT $1, $2, $3, $4, $5, $6::int, $7::jsonb, $8::text[], $9, $10::bytea
        FROM memberships mine WHERE {IS_MEMBER}
        ON CONFLICT (tenant_id, owner_id, idempotency_key) WHERE idempotency_key IS NOT NULL
        DO NOTHING RETURNING {COLUMNS}""",
        viewer.tenant_id,
        viewer.user_id,
        new.filename,
        new.content_type,
        new.content,
        size,
        new.metadata,
        new.tags,
        new.idempotency_key,
        _digest(new) if new.idempotency_key else None,
    )
    return rows[0] if rows else None


async def _made_before(viewer: Viewer, new: NewDocument) -> DocumentRow:
    rows = await DB.fetch(
        KeyedRow,
        f"""SELECT d.request_digest, {COLUMNS} FROM documents d
        WHERE d.tenant_id = $1 AND d.owner_id = $2 AND d.idempotency_key = $3""",
        viewer.tenant_id,
        viewer.user_id,
        new.idempotency_key,
    )
    if not rows:
        raise no_member()
    if rows[0].request_digest != _digest(new):
        raise key_taken()
    return rows[0]


async def _to_change(viewer: Viewer, id: UUID, *, include_deleted: bool) -> DocumentRow:
    """Locked. Raises Forbidden, NotFound."""
    rows = await DB.fetch(
        LockedRow,
        f"""SELECT {COLUMNS}, {IS_ADMIN} AS is_admin FROM documents d {JOIN_MEMBERSHIP}
        WHERE d.tenant_id = $1 AND d.id = $3
        AND (d.deleted_at IS NULL OR $4 AND ({IS_ADMIN} OR d.owner_id = $2))
        FOR NO KEY UPDATE OF d""",
        viewer.tenant_id,
        viewer.user_id,
        id,
        include_deleted,
    )
    if not rows:
        raise NotFound("There is no such document.", ("id",))
    require_document_change(viewer, rows[0].owner_id, is_admin=rows[0].is_admin)
    return rows[0]


async def _update(viewer: Viewer, id: UUID, given: dict[str, Any], size: int | None) -> DocumentRow:
    (row,) = await DB.fetch(
        DocumentRow,
        f"""UPDATE documents d SET filename = coalesce($3, d.filename),
        content = coalesce($4, d.content), size = coalesce($5, d.size),
        metadata = coalesce($6, d.metadata), tags = coalesce($7, d.tags)
        WHERE d.tenant_id = $1 AND d.id = $2 RETURNING {COLUMNS}""",
        viewer.tenant_id,
        id,
        given.get("filename"),
        given.get("content"),
        size,
        given.get("metadata"),
        given.get("tags"),
    )
    return row


async def _set_deleted(
    viewer: Viewer, caller: Caller, id: UUID, *, is_deleted: bool
) -> DocumentRow:
    """Again is no change."""
    async with DB.tenant(viewer.tenant_id):
        before = await _to_change(viewer, id, include_deleted=True)
        if (before.deleted_at is not None) is is_deleted:
            return before
        (row,) = await DB.fetch(
            DocumentRow,
            f"""UPDATE documents d SET deleted_at = CASE WHEN $3 THEN now() END
            WHERE d.tenant_id = $1 AND d.id = $2 RETURNING {COLUMNS}""",
            viewer.tenant_id,
            id,
            is_deleted,
        )
        action = "document.deleted" if is_deleted else "document.restored"
        await record(viewer.tenant_id, viewer.user_id, caller, action, ("Document", id))
    return row

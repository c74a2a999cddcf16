from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from core.viewer import Viewer
from resolvers.access import ONE_BY_ONE
from resolvers.loading import by_key, lists_by_key
from tables.engine import DB, Row

# Not the content, which may be long: it is read when it is asked for.
COLUMNS = """d.id, d.filename, d.content_type, d.size, d.metadata, d.tags, d.owner_id,
    d.created_at, d.updated_at, d.deleted_at"""

MAX_CITATIONS = 50
"""Documents that are shown of a message. Unbounded, a list of lists has no bound at all."""


class DocumentRow(Row):
    node_type = "Document"
    id: UUID
    owner_id: UUID | None
    deleted_at: datetime | None


class ContentRow(Row):
    id: UUID
    content: str | None


async def documents_by_id(viewer: Viewer, ids: Sequence[UUID]) -> list[DocumentRow | None]:
    rows = await DB.fetch(
        DocumentRow,
        f"""SELECT d.* FROM unnest($2::uuid[]) AS one (id) CROSS JOIN LATERAL (SELECT {COLUMNS}
            FROM documents d WHERE d.tenant_id = $1 AND d.id = one.id AND d.deleted_at IS NULL
            {ONE_BY_ONE}) AS d""",
        viewer.tenant_id,
        ids,
    )
    return by_key(rows, ids, "id")


async def contents_by_document(viewer: Viewer, ids: Sequence[UUID]) -> list[str | None]:
    """Of documents that the viewer is known to see."""
    rows = await DB.fetch(
        ContentRow,
        f"""SELECT d.* FROM unnest($2::uuid[]) AS one (id) CROSS JOIN LATERAL (
            SELECT d.id, d.content FROM documents d
            WHERE d.tenant_id = $1 AND d.id = one.id {ONE_BY_ONE}) AS d""",
        viewer.tenant_id,
        ids,
    )
    return [row.content if row else None for row in by_key(rows, ids, "id")]


async def documents_by_message(viewer: Viewer, ids: Sequence[UUID]) -> list[list[DocumentRow]]:
    """What messages used, in the stored order, of messages that the viewer is known to see."""
    return await documents_used_by(viewer.tenant_id, ids)


async def documents_used_by(tenant_id: UUID, ids: Sequence[UUID]) -> list[list[DocumentRow]]:
    """As `documents_by_message`, which are the same for all members."""
    rows = await DB.fetch(
        DocumentRow,
        f"""SELECT md.message_id, d.* FROM message_documents md CROSS JOIN LATERAL (
            SELECT {COLUMNS} FROM documents d
            WHERE d.tenant_id = $1 AND d.id = md.document_id AND d.deleted_at IS NULL
            {ONE_BY_ONE}) AS d
        WHERE md.tenant_id = $1 AND md.message_id = ANY($2) AND md.position < {MAX_CITATIONS}
        ORDER BY md.message_id, md.position""",
        tenant_id,
        ids,
    )
    return lists_by_key(rows, ids, "message_id")

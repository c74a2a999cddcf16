from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from core.text import storable
from core.viewer import Viewer
from resolvers.access import sees_deleted
from resolvers.loading import by_key, lists_by_key
from resolvers.paging import Key, Order, PageArguments, Slice, fetch_page
from tables.engine import DB, Row

# Not the content, which may be long: it is read when it is asked for.
COLUMNS = """d.id, d.filename, d.content_type, d.size, d.metadata, d.tags, d.owner_id,
    d.created_at, d.updated_at, d.deleted_at"""

NEWEST = Order(
    "document",
    (Key("d.created_at", "created_at", "timestamptz"), Key("d.id", "id", "uuid")),
    descending=True,
)

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


@dataclass(frozen=True, slots=True)
class DocumentFilter:
    tags_all: Sequence[str] | None = None
    tags_any: Sequence[str] | None = None
    content_type: str | None = None
    owner_id: UUID | None = None
    include_deleted: bool = False


async def documents_by_id(viewer: Viewer, ids: Sequence[UUID]) -> list[DocumentRow | None]:
    rows = await DB.fetch(
        DocumentRow,
        f"SELECT {COLUMNS} FROM documents d"
        " WHERE d.tenant_id = $1 AND d.id = ANY($2) AND d.deleted_at IS NULL",
        viewer.tenant_id,
        ids,
    )
    return by_key(rows, ids, "id")


async def contents_by_document(viewer: Viewer, ids: Sequence[UUID]) -> list[str | None]:
    """Of documents that the viewer is known to see."""
    rows = await DB.fetch(
        ContentRow,
        "SELECT d.id, d.content FROM documents d WHERE d.tenant_id = $1 AND d.id = ANY($2)",
        viewer.tenant_id,
        ids,
    )
    return [row.content if row else None for row in by_key(rows, ids, "id")]


async def documents_by_message(viewer: Viewer, ids: Sequence[UUID]) -> list[list[DocumentRow]]:
    """What messages used, in the stored order, of messages that the viewer is known to see."""
    rows = await DB.fetch(
        DocumentRow,
        f"""SELECT md.message_id, {COLUMNS} FROM message_documents md
        JOIN documents d ON d.tenant_id = $1 AND d.id = md.document_id
        WHERE md.tenant_id = $1 AND md.message_id = ANY($2) AND md.position < {MAX_CITATIONS}
        AND d.deleted_at IS NULL ORDER BY md.message_id, md.position""",
        viewer.tenant_id,
        ids,
    )
    return lists_by_key(rows, ids, "message_id")


async def list_documents(
    viewer: Viewer,
    arguments: PageArguments,
    wanted: DocumentFilter = DocumentFilter(),
) -> Slice[DocumentRow]:
    return await fetch_page(
        DocumentRow,
        COLUMNS,
        f"""FROM documents d WHERE d.tenant_id = $1 AND $2::uuid IS NOT NULL
        AND {sees_deleted(viewer, "d", include_deleted=wanted.include_deleted)}
        AND ($3::text[] IS NULL OR d.tags @> $3)
        AND ($4::text[] IS NULL OR d.tags && $4)
        AND ($5::text IS NULL OR d.content_type = $5)
        AND ($6::uuid IS NULL OR d.owner_id = $6)""",
        NEWEST,
        arguments.page(NEWEST),
        viewer.tenant_id,
        viewer.user_id,
        _storable(wanted.tags_all, "tagsAll"),
        _storable(wanted.tags_any, "tagsAny"),
        wanted.content_type and storable(wanted.content_type, "filter", "contentType"),
        wanted.owner_id,
    )


def _storable(tags: Sequence[str] | None, field: str) -> list[str] | None:
    return None if tags is None else [storable(tag, "filter", field) for tag in tags]

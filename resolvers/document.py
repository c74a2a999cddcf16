from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from core.errors import BadInput, InvalidInput
from core.text import storable
from core.viewer import Viewer
from resolvers.access import sees_deleted
from resolvers.loading import by_key, lists_by_key
from resolvers.paging import Key, Order, PageArguments, Slice, fetch_page
from resolvers.validation import Input, JSONObject, validated
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

MAX_SEARCH = 200


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
    """`search` is in words of file name and content, as in a web search ("a phrase", or, -not);
    or like the file name, but for typos."""

    search: str | None = None
    tags_all: Sequence[str] | None = None
    tags_any: Sequence[str] | None = None
    metadata_contains: Any = None
    content_type: str | None = None
    owner_id: UUID | None = None
    include_deleted: bool = False


class MetadataFilter(Input):
    metadata_contains: JSONObject


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
    """Newest first. Raises BadInput."""
    conditions, values = _asked(wanted)
    return await fetch_page(
        DocumentRow,
        COLUMNS,
        f"""FROM documents d WHERE d.tenant_id = $1 AND $2::uuid IS NOT NULL
        AND {sees_deleted(viewer, "d", include_deleted=wanted.include_deleted)}
        {"".join(f" AND {condition}" for condition in conditions)}""",
        NEWEST,
        arguments.page(NEWEST),
        viewer.tenant_id,
        viewer.user_id,
        *values,
    )


def _asked(wanted: DocumentFilter) -> tuple[list[str], list[object]]:
    """Conditions, and their values from $3 on; only what is asked for: a plan for all values of
    `$3 IS NULL OR …` uses no index."""
    conditions: list[str] = []
    values = _matched(wanted)
    if values:
        # An array, and no join: its ids are looked up by key, however many they are taken for.
        conditions.append("d.id = ANY (ARRAY(SELECT documents_matching($1, $3, $4, $5, $6)))")
    for column, value in _columns(wanted).items():
        if value is not None:
            values.append(value)
            conditions.append(f"{column} = ${2 + len(values)}")
    return conditions, values


def _matched(wanted: DocumentFilter) -> list[object]:
    """For documents_matching, with None for what holds of every document; [] when all does."""
    values: list[object] = [
        _searched(wanted.search) or None,
        _storable(wanted.tags_all, "tagsAll") or None,
        _storable(wanted.tags_any, "tagsAny"),
        _metadata(wanted.metadata_contains) or None,
    ]
    return [] if all(value is None for value in values) else values


def _columns(wanted: DocumentFilter) -> dict[str, object]:
    content_type = wanted.content_type
    return {
        "d.content_type": content_type and storable(content_type, "filter", "contentType"),
        "d.owner_id": wanted.owner_id,
    }


def _searched(text: str | None) -> str:
    found = storable(text or "", "filter", "search").strip()
    if len(found) > MAX_SEARCH:
        raise BadInput(f"Must have at most {MAX_SEARCH} characters.", ("filter", "search"))
    return found


def _metadata(value: object) -> dict[str, Any] | None:
    if value is None:
        return None
    try:
        return validated(MetadataFilter, metadata_contains=value).metadata_contains
    except InvalidInput as error:
        raise BadInput(error.message, ("filter", *error.field)) from None


def _storable(tags: Sequence[str] | None, field: str) -> list[str] | None:
    return None if tags is None else [storable(tag, "filter", field) for tag in tags]

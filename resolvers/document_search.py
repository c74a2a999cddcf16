"""Documents by words, by nearly their name, by tags and by metadata.

The function documents_matching finds the keys of those that match, by its indexes; which of them
the viewer sees is asked here once more. What is searched for comes best first: its score is the
rank of the words plus the likeness of the file name, each from 0 to 1. Of more than 1,000 matches
the newest 1,000 are ranked, and the others follow, newest first.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from uuid import UUID

from core.errors import BadInput, InvalidInput
from core.text import normalised, searchable, storable
from core.viewer import Viewer
from resolvers.access import ONE_BY_ONE, sees_deleted
from resolvers.document import COLUMNS, DocumentRow
from resolvers.order import Key, KeyType, Order
from resolvers.paging import PageArguments, Slice, fetch_page
from resolvers.validation import Input, JSONObject, validated

NEWEST = Order(
    "document",
    (Key("d.created_at", "created_at", "timestamptz"), Key("d.id", "id", "uuid")),
    descending=True,
)
BEST: dict[str, KeyType] = {"score": "float8", "created_at": "timestamptz", "id": "uuid"}
MATCHING = "documents_matching($1, $3, $4, $5, $6, $7, $8, $9)"


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


async def list_documents(
    viewer: Viewer,
    arguments: PageArguments,
    wanted: DocumentFilter = DocumentFilter(),
) -> Slice[DocumentRow]:
    """Newest first; what is searched for, best first. Raises BadInput."""
    search = searchable(wanted.search or "", "filter", "search")
    order = _best(search) if search else NEWEST
    page = arguments.page(order)
    source, values = _source(viewer, search, wanted, page.backward)
    return await fetch_page(
        DocumentRow,
        f"{COLUMNS}, f.score" if search else COLUMNS,
        source,
        order,
        page,
        viewer.tenant_id,
        viewer.user_id,
        *values,
    )


def _best(search: str) -> Order:
    """Of one search: a score says nothing in another."""
    name = sha256(search.encode()).hexdigest()[:16]
    keys = tuple(Key(f"f.{column}", column, kind) for column, kind in BEST.items())
    return Order(f"document.found.{name}", keys, descending=True)


def _source(
    viewer: Viewer, search: str, wanted: DocumentFilter, backward: bool
) -> tuple[str, list[object]]:
    """FROM … WHERE …, and its values from $3 on; only what is asked for: a plan for all values of
    `$3 IS NULL OR …` uses no index."""
    deleted = sees_deleted(viewer, "d", include_deleted=wanted.include_deleted)
    seen = f"$2::uuid IS NOT NULL AND {deleted}"
    matched, columns = _matched(search, wanted), _columns(wanted)
    if all(value is None for value in matched):
        given = {name: value for name, value in columns.items() if value is not None}
        equal = "".join(f" AND {name} = ${n}" for n, name in enumerate(given, 3))
        return f"FROM documents d WHERE d.tenant_id = $1 AND {seen}{equal}", [*given.values()]
    values = [*matched, *columns.values(), wanted.include_deleted]
    if search:
        return f"FROM {_ranked(backward)} WHERE {seen}", values
    # An array, and no join: its ids are looked up by key, however many they are taken for.
    ids = f"ARRAY(SELECT f.id FROM {MATCHING} f)"
    return f"FROM documents d WHERE d.tenant_id = $1 AND {seen} AND d.id = ANY ({ids})", values


def _ranked(backward: bool) -> str:
    """Sorted, then looked up one after the other, as far as the page goes: to join and to sort
    them as one would read every document that matches, or all that there are (OFFSET 0)."""
    keys = ", ".join(f"m.{key} {'ASC' if backward else 'DESC'}" for key in BEST)
    document = f"SELECT d.* FROM documents d WHERE d.tenant_id = $1 AND d.id = f.id {ONE_BY_ONE}"
    return f"(SELECT m.* FROM {MATCHING} m ORDER BY {keys}) f, LATERAL ({document}) d"


def _matched(search: str, wanted: DocumentFilter) -> list[object]:
    """For documents_matching, with None for what holds of every document."""
    return [
        search or None,
        _storable(wanted.tags_all, "tagsAll") or None,
        _storable(wanted.tags_any, "tagsAny"),
        _metadata(wanted.metadata_contains) or None,
    ]


def _columns(wanted: DocumentFilter) -> dict[str, object]:
    content_type = wanted.content_type
    return {
        "d.content_type": content_type
        and normalised(storable(content_type, "filter", "contentType")),
        "d.owner_id": wanted.owner_id,
    }


def _metadata(value: object) -> dict[str, Any] | None:
    if value is None:
        return None
    try:
        return validated(MetadataFilter, metadata_contains=value).metadata_contains
    except InvalidInput as error:
        raise BadInput(error.message, ("filter", *error.field)) from None


def _storable(tags: Sequence[str] | None, field: str) -> list[str] | None:
    return None if tags is None else [storable(tag, "filter", field) for tag in tags]

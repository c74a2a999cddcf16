from collections.abc import Mapping
from typing import NamedTuple
from uuid import UUID

from core.time import moment
from ops.tinydb.fields import Fields, Rejected, dumped, shown
from ops.tinydb.run import Columns, Entry, Run, key_at
from ops.tinydb.user import People, read_username

MAX_TAG = 200
FIELDS = frozenset(
    ["document_id", "filename", "content_type", "content", "metadata", "username", "created_at"]
)

Documents = Mapping[str, UUID]
"""Ids by natural key, of all documents that the file has or names."""

COLUMNS = [
    *("tenant_id", "id", "owner_id", "filename", "content_type", "size", "content", "metadata"),
    *("tags", "source_id", "created_at", "updated_at"),
]


class DocumentRecord(NamedTuple):
    natural_key: str
    owner: str | None
    filename: str
    content_type: str
    content: str
    metadata: str
    """JSON, without the tags."""

    tags: list[str]
    created_at: int | None


def read_document(fields: Fields) -> DocumentRecord:
    key = fields.key("document_id", "documents_without_document_id")
    filename = fields.text("filename", "documents_without_filename")
    if not filename.strip():
        raise Rejected("documents_without_filename", "filename is empty")
    content = fields.text("content", "documents_without_content")
    metadata = fields.metadata(FIELDS)
    tags = _tags(fields, metadata)
    return DocumentRecord(
        key,
        _read_owner(fields),
        fields.storable("filename", filename),
        _content_type(fields),
        fields.storable("content", content),
        dumped(metadata),
        tags,
        fields.time("created_at"),
    )


def _read_owner(fields: Fields) -> str | None:
    try:
        return read_username(fields, "")
    except Rejected as error:
        fields.note("username", f"{error.reason}: the document has no owner")
        return None


def _content_type(fields: Fields) -> str:
    value = fields.row.get("content_type")
    if isinstance(value, str) and value.strip():
        return fields.storable("content_type", value.strip())
    fields.note("content_type", f"content_type is {shown(value)}: text/plain")
    return "text/plain"


def _tags(fields: Fields, metadata: dict[str, object]) -> list[str]:
    """Moves the tags out of the metadata; what is no list of tags stays there."""
    value = metadata.get("tags")
    if value is None:
        return []
    if not isinstance(value, list):
        fields.note("tags", f"metadata.tags is {shown(value)}, not a list: no tags")
        return []
    tags = [
        tag.strip() for tag in value if isinstance(tag, str) and 0 < len(tag.strip()) <= MAX_TAG
    ]
    if len(tags) == len(value):
        del metadata["tags"]
    else:
        fields.note("tags", f"metadata.tags is {shown(value)}: not all of them are tags")
    return list(dict.fromkeys(tags))


async def import_documents(
    run: Run, entries: list[Entry[DocumentRecord]], cited: set[str], people: People
) -> Documents:
    """`cited`: natural keys that messages name."""
    accepted = run.first_of_each("documents", entries)
    rows = await run.connection.fetch(
        "SELECT source_id, id FROM documents WHERE tenant_id = $1 AND source_id = ANY($2)",
        run.tenant_id,
        list(cited.union(accepted)),
    )
    documents: dict[str, UUID] = {row["source_id"]: row["id"] for row in rows}
    new = [entry for name, entry in accepted.items() if name not in documents]
    run.count("documents", len(new), len(accepted))
    records: list[Columns] = []
    for entry in new:
        time = run.now if entry.record.created_at is None else entry.record.created_at
        documents[entry.record.natural_key] = id = key_at(time)
        times = (moment(time), moment(time))
        records.append((run.tenant_id, id, *_columns(entry, _owner(run, entry, people)), *times))
    await run.copy("documents", COLUMNS, records, len(new))
    return documents


def _owner(run: Run, entry: Entry[DocumentRecord], people: People) -> UUID | None:
    name = entry.record.owner
    if name is not None and name not in people:
        run.adjusted("documents", entry, "username", "username names nobody: no owner")
    return people.get(name) if name is not None else None


def _columns(entry: Entry[DocumentRecord], owner_id: UUID | None) -> Columns:
    document = entry.record
    return (
        *(owner_id, document.filename, document.content_type, len(document.content.encode())),
        *(document.content, document.metadata, document.tags, document.natural_key),
    )

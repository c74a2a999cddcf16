from collections.abc import Mapping
from uuid import UUID

from ops.tinydb.people import People
from ops.tinydb.reading import Reading
from ops.tinydb.records import DocumentRecord, Entry
from ops.tinydb.run import Columns, Run, key_at
from ops.tinydb.values import moment

Documents = Mapping[str, UUID]
"""Ids by natural key, of all documents that the file has or names."""

COLUMNS = [
    *("tenant_id", "id", "owner_id", "filename", "content_type", "size", "content", "metadata"),
    *("tags", "source_id", "created_at", "updated_at"),
]


async def import_documents(run: Run, reading: Reading, people: People) -> Documents:
    accepted = run.first_of_each("documents", reading.documents)
    cited = {id for entry in reading.messages for id in entry.record.documents}
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

from collections.abc import Iterator
from uuid import UUID

from ops.tinydb.documents import Documents
from ops.tinydb.fields import shown
from ops.tinydb.records import Entry, MessageRecord
from ops.tinydb.run import Columns, Run, key_at
from ops.tinydb.threads import Thread
from ops.tinydb.values import moment

COLUMNS = [
    *("tenant_id", "id", "conversation_id", "author_id", "sequence", "version", "role", "content"),
    *("token_count", "metadata", "source_id", "created_at", "updated_at"),
]
CITATION = ["tenant_id", "id", "message_id", "document_id", "position"]
MAX_CITATIONS = 2**15 - 1


async def import_messages(run: Run, threads: list[Thread], documents: Documents) -> None:
    citations: list[Columns] = []

    def messages() -> Iterator[Columns]:
        for thread in threads:
            for place, (entry, time) in enumerate(thread.new, start=1):
                id = key_at(time)
                yield run.tenant_id, id, *_columns(thread, place, entry.record, time)
                if entry.record.documents:
                    citations.extend(_citations(run, id, time, entry, documents))

    await run.copy("messages", COLUMNS, messages(), run.imported["messages"])
    await run.copy("message_documents", CITATION, citations, len(citations))


def _columns(thread: Thread, place: int, message: MessageRecord, time: int) -> Columns:
    at = moment(time)
    author_id = thread.owner_id if message.role == "USER" else None
    return (
        *(thread.id, author_id, thread.last_sequence + place, thread.version + place),
        *(message.role, message.content, message.token_count, message.metadata),
        *(message.natural_key, at, at),
    )


def _citations(
    run: Run, message_id: UUID, time: int, entry: Entry[MessageRecord], documents: Documents
) -> Iterator[Columns]:
    known = [documents[name] for name in entry.record.documents if name in documents]
    if len(known) != len(entry.record.documents) or len(known) > MAX_CITATIONS:
        run.adjusted("messages", entry, "used_documents", _unknown(entry.record, documents))
    for position, document_id in enumerate(known[:MAX_CITATIONS], start=1):
        yield run.tenant_id, key_at(time), message_id, document_id, position


def _unknown(message: MessageRecord, documents: Documents) -> str:
    unknown = [name for name in message.documents if name not in documents]
    if not unknown:
        return f"used_documents names more than {MAX_CITATIONS}: the others are left out"
    return f"used_documents names {len(unknown)} that do not exist: {shown(unknown)}"

"""Messages: which conversation they go into, at which place and time."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import UUID

from core.text import UNSTORABLE
from core.time import moment
from ops.tinydb.document import Documents
from ops.tinydb.fields import Fields, Rejected, dumped, shown
from ops.tinydb.run import Columns, Entry, Run, key_at
from ops.tinydb.timeline import in_order

ROLES = {"user": "USER", "assistant": "ASSISTANT", "bot": "ASSISTANT", "system": "SYSTEM"}
MAX_CITATIONS = 2**15 - 1
FIELDS = frozenset(
    [
        *("message_id", "conversation_id", "role", "content", "timestamp"),
        *("token_count", "used_documents", "metadata"),
    ]
)
STORED = "SELECT source_id FROM messages WHERE tenant_id = $1 AND source_id = ANY($2)"
COLUMNS = [
    *("tenant_id", "id", "conversation_id", "author_id", "sequence", "version", "role", "content"),
    *("token_count", "metadata", "source_id", "created_at", "updated_at"),
]
CITATION = ["tenant_id", "id", "message_id", "document_id", "position"]


class MessageRecord(NamedTuple):
    natural_key: str
    conversation: str
    role: str
    content: str
    time: int | None
    token_count: int | None
    documents: list[str]
    """Each once, in the order of use."""

    metadata: str
    """JSON."""


@dataclass
class Thread:
    """A conversation of the file or of the workspace, and its messages in the file."""

    natural_key: str
    id: UUID
    owner_id: UUID | None
    created_at: int | None
    title: str | None
    """None: it is stored already."""

    rows: list[Entry[MessageRecord]] = field(default_factory=list)
    """In file order, also those that are stored already: they are neighbours of new ones."""

    new: list[tuple[Entry[MessageRecord], int]] = field(default_factory=list)
    """Those that are not, in their order, with their times."""

    last_sequence: int = 0
    """Of what is stored. New messages come after that, whatever their times."""

    version: int = 0


def read_message(fields: Fields) -> MessageRecord:
    key = fields.key("message_id", "messages_without_message_id")
    role = fields.row.get("role")
    if not isinstance(role, str) or role not in ROLES:
        raise Rejected("messages_with_unknown_role", f"role is {shown(role)}")
    return MessageRecord(
        key,
        fields.key("conversation_id", "messages_without_conversation"),
        ROLES[role],
        fields.storable("content", fields.text("content", "messages_without_content")),
        fields.time("timestamp", needed=False),
        fields.count("token_count"),
        _used_documents(fields),
        dumped(fields.metadata(FIELDS)),
    )


def _used_documents(fields: Fields) -> list[str]:
    value = fields.row.get("used_documents")
    if value is None:
        return []
    ids = value if isinstance(value, list) else [value]
    documents = [id for id in ids if isinstance(id, str) and not UNSTORABLE.search(id)]
    if documents != value:
        fields.note("used_documents", f"used_documents is {shown(value)}, not a list of ids")
    return list(dict.fromkeys(documents))


async def place_messages(
    run: Run, entries: list[Entry[MessageRecord]], threads: Mapping[str, Thread]
) -> None:
    """Into their threads, which are named by natural key."""

    def belongs(message: MessageRecord) -> None:
        if message.conversation not in threads:
            raise Rejected("messages_without_conversation", "there is no such conversation")

    messages = run.first_of_each("messages", entries, belongs)
    rows = await run.connection.fetch(STORED, run.tenant_id, list(messages))
    stored = {row["source_id"] for row in rows}
    run.count("messages", len(messages) - len(stored), len(messages))
    for entry in messages.values():
        threads[entry.record.conversation].rows.append(entry)
    for thread in threads.values():
        thread.new = list(_placed(run, thread, stored))


def _placed(
    run: Run, thread: Thread, stored: set[str]
) -> Iterator[tuple[Entry[MessageRecord], int]]:
    times = [entry.record.time for entry in thread.rows]
    for index, time in in_order(times, thread.created_at, run.now):
        entry = thread.rows[index]
        if entry.record.natural_key not in stored:
            yield entry, time


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

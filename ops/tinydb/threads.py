"""Which messages go into which conversation, at which place and time."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from uuid import UUID

from ops.tinydb.file import CannotImport
from ops.tinydb.findings import Rejected
from ops.tinydb.people import People
from ops.tinydb.reading import Reading
from ops.tinydb.records import ConversationRecord, Entry, MessageRecord
from ops.tinydb.run import Run, key_at
from ops.tinydb.timeline import in_order
from ops.tinydb.values import since_epoch

STORED = """
SELECT source_id, id, owner_id, created_at FROM conversations
 WHERE tenant_id = $1 AND source_id = ANY($2)
"""
STORED_MESSAGES = """
SELECT source_id FROM messages WHERE tenant_id = $1 AND source_id = ANY($2)
"""
# A sender locks one conversation at a time, so this cannot deadlock with any.
LOCK = """
SELECT id, last_sequence, version FROM conversations
 WHERE tenant_id = $1 AND id = ANY($2) ORDER BY id FOR NO KEY UPDATE
"""


@dataclass
class Thread:
    """A conversation of the file or of the workspace, and its messages in the file."""

    id: UUID
    owner_id: UUID | None
    created_at: int | None
    record: ConversationRecord | None
    """None: it is stored already."""

    rows: list[Entry[MessageRecord]] = field(default_factory=list)
    """In file order, also those that are stored already: they are neighbours of new ones."""

    new: list[tuple[Entry[MessageRecord], int]] = field(default_factory=list)
    """Those that are not, in their order, with their times."""

    last_sequence: int = 0
    """Of what is stored. New messages come after that, whatever their times."""

    version: int = 0


async def collect_threads(run: Run, reading: Reading, people: People) -> list[Thread]:
    threads = await _conversations(run, reading, people)

    def belongs(message: MessageRecord) -> None:
        if message.conversation not in threads:
            raise Rejected("messages_without_conversation", "there is no such conversation")

    messages = run.first_of_each("messages", reading.messages, belongs)
    rows = await run.connection.fetch(STORED_MESSAGES, run.tenant_id, list(messages))
    stored = {row["source_id"] for row in rows}
    run.count("messages", len(messages) - len(stored), len(messages))
    for entry in messages.values():
        threads[entry.record.conversation].rows.append(entry)
    for thread in threads.values():
        thread.new = list(_placed(run, thread, stored))
        if thread.created_at is None:
            thread.created_at = thread.new[0][1] if thread.new else run.now
            thread.id = key_at(thread.created_at)
    await _lock(run, [thread for thread in threads.values() if not thread.record and thread.new])
    return list(threads.values())


async def _conversations(run: Run, reading: Reading, people: People) -> dict[str, Thread]:
    """Of the file, and those of the workspace that its messages name."""

    def owned(conversation: ConversationRecord) -> None:
        if conversation.owner not in people:
            raise Rejected("conversations_without_owner", "username names nobody")

    accepted = run.first_of_each("conversations", reading.conversations, owned)
    named = {entry.record.conversation for entry in reading.messages}
    rows = await run.connection.fetch(STORED, run.tenant_id, list(named.union(accepted)))
    threads = {
        row["source_id"]: Thread(row["id"], row["owner_id"], since_epoch(row["created_at"]), None)
        for row in rows
    }
    run.count("conversations", len(accepted.keys() - threads.keys()), len(accepted))
    for name, entry in accepted.items():
        record = entry.record
        time = record.created_at
        if name not in threads:
            key = key_at(run.now if time is None else time)
            threads[name] = Thread(key, people[record.owner], time, record)
        elif time is not None:
            threads[name].created_at = time
    return threads


def _placed(
    run: Run, thread: Thread, stored: set[str]
) -> Iterator[tuple[Entry[MessageRecord], int]]:
    times = [entry.record.time for entry in thread.rows]
    for index, time in in_order(times, thread.created_at, run.now):
        entry = thread.rows[index]
        if entry.record.natural_key not in stored:
            yield entry, time


async def _lock(run: Run, growing: list[Thread]) -> None:
    """Until the end of the transaction nobody else adds to them."""
    ids = [thread.id for thread in growing]
    rows = await run.connection.fetch(LOCK, run.tenant_id, ids)
    if len(rows) != len(ids):
        raise CannotImport("a conversation was deleted meanwhile: try again")
    counters = {row["id"]: row for row in rows}
    for thread in growing:
        counter = counters[thread.id]
        thread.last_sequence, thread.version = counter["last_sequence"], counter["version"]

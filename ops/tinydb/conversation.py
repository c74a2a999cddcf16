import re
import secrets
from typing import NamedTuple

from core.time import moment, since_epoch
from ops.tinydb.fields import Fields, Rejected, shown
from ops.tinydb.file import CannotImport
from ops.tinydb.message import MessageRecord, Thread, place_messages
from ops.tinydb.run import Columns, Entry, Run, key_at
from ops.tinydb.user import People, read_username

MAX_TITLE = 500
UNTITLED = "Untitled"
SHORT_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
FIELDS = frozenset(["conversation_id", "username", "title", "created_at"])
STORED = """
SELECT source_id, id, owner_id, created_at FROM conversations
 WHERE tenant_id = $1 AND source_id = ANY($2)
"""
# A sender locks one conversation at a time, so this cannot deadlock with any.
LOCK = """
SELECT id, last_sequence, version FROM conversations
 WHERE tenant_id = $1 AND id = ANY($2) ORDER BY id FOR NO KEY UPDATE
"""
COLUMNS = [
    *("tenant_id", "id", "short_id", "owner_id", "title", "source_id", "message_count"),
    *("last_sequence", "version", "last_message_at", "created_at", "updated_at"),
]
PARTICIPANT = [
    *("tenant_id", "id", "conversation_id", "user_id", "last_read_sequence", "read_count"),
    *("created_at", "updated_at"),
]
GROW = """
UPDATE conversations c
   SET message_count = message_count + g.count, last_sequence = last_sequence + g.count,
       version = version + g.count, last_message_at = greatest(last_message_at, g.last)
  FROM unnest($2::uuid[], $3::int[], $4::timestamptz[]) AS g (id, count, last)
 WHERE c.tenant_id = $1 AND c.id = g.id
"""
# What the owner brings along is not news to them, when nothing else was.
READ = """
UPDATE participants p SET last_read_sequence = c.last_sequence, read_count = c.message_count
  FROM conversations c JOIN unnest($2::uuid[], $3::int[]) AS g (id, count) ON g.id = c.id
 WHERE c.tenant_id = $1 AND p.tenant_id = $1 AND p.conversation_id = c.id
   AND p.user_id = c.owner_id AND p.last_read_sequence = c.last_sequence - g.count
"""


class ConversationRecord(NamedTuple):
    natural_key: str
    owner: str
    title: str
    created_at: int | None


def read_conversation(fields: Fields) -> ConversationRecord:
    return ConversationRecord(
        fields.key("conversation_id", "conversations_without_conversation_id"),
        read_username(fields, "conversations_without_owner"),
        _read_title(fields),
        fields.time("created_at"),
    )


def _read_title(fields: Fields) -> str:
    value = fields.row.get("title")
    if value is None:
        return UNTITLED
    if not isinstance(value, str):
        fields.note("title", f"title is {shown(value)}, not text: {UNTITLED}")
        return UNTITLED
    title = fields.storable("title", value.strip())
    if len(title) > MAX_TITLE:
        fields.note("title", f"title has {len(title)} characters: cut to {MAX_TITLE}")
    return title[:MAX_TITLE] or UNTITLED


async def collect_threads(
    run: Run,
    conversations: list[Entry[ConversationRecord]],
    messages: list[Entry[MessageRecord]],
    people: People,
) -> list[Thread]:
    """Of the file's conversations, and of those of the workspace that its messages name."""
    named = {entry.record.conversation for entry in messages}
    threads = await _threads(run, conversations, named, people)
    await place_messages(run, messages, threads)
    for thread in threads.values():
        if thread.created_at is None:
            thread.created_at = thread.new[0][1] if thread.new else run.now
            thread.id = key_at(thread.created_at)
    await _lock(run, [thread for thread in threads.values() if thread.title is None and thread.new])
    return list(threads.values())


async def _threads(
    run: Run, entries: list[Entry[ConversationRecord]], named: set[str], people: People
) -> dict[str, Thread]:
    """By natural key: of the file, and of the workspace those that are `named`."""

    def owned(conversation: ConversationRecord) -> None:
        if conversation.owner not in people:
            raise Rejected("conversations_without_owner", "username names nobody")

    accepted = run.first_of_each("conversations", entries, owned)
    rows = await run.connection.fetch(STORED, run.tenant_id, list(named.union(accepted)))
    threads = {
        name: Thread(name, id, owner_id, since_epoch(created_at), None)
        for name, id, owner_id, created_at in rows
    }
    run.count("conversations", len(accepted.keys() - threads.keys()), len(accepted))
    for name, entry in accepted.items():
        record = entry.record
        time = record.created_at
        if name not in threads:
            key = key_at(run.now if time is None else time)
            threads[name] = Thread(name, key, people[record.owner], time, record.title)
        elif time is not None:
            threads[name].created_at = time
    return threads


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


async def import_conversations(run: Run, threads: list[Thread]) -> None:
    """The new ones, each with its owner as participant who has read everything."""
    new = [thread for thread in threads if thread.title is not None]
    short_ids = await _short_ids(run, [thread.natural_key for thread in new])
    rows = (_conversation(run, thread, short_ids) for thread in new)
    await run.copy("conversations", COLUMNS, rows, len(new))
    await run.copy(
        "participants", PARTICIPANT, (_participant(run, thread) for thread in new), len(new)
    )


async def grow_conversations(run: Run, threads: list[Thread]) -> None:
    """Counts what was added to those that were there already."""
    grown = [thread for thread in threads if thread.new and thread.title is None]
    ids, counts = [thread.id for thread in grown], [len(thread.new) for thread in grown]
    last = [moment(thread.new[-1][1]) for thread in grown]
    await run.connection.execute(GROW, run.tenant_id, ids, counts, last)
    await run.connection.execute(READ, run.tenant_id, ids, counts)


async def _short_ids(run: Run, names: list[str]) -> dict[str, str]:
    """The conversation's own id, when a URL can have it and no other conversation has."""
    rows = await run.connection.fetch(
        "SELECT short_id FROM conversations WHERE tenant_id = $1 AND short_id = ANY($2)",
        run.tenant_id,
        names,
    )
    taken = {row["short_id"] for row in rows}
    return {
        name: name if SHORT_ID.fullmatch(name) and name not in taken else secrets.token_urlsafe(9)
        for name in names
    }


def _conversation(run: Run, thread: Thread, short_ids: dict[str, str]) -> Columns:
    name, count, begun = thread.natural_key, len(thread.new), thread.created_at
    assert begun is not None
    last = moment(thread.new[-1][1]) if thread.new else None
    return (
        *(run.tenant_id, thread.id, short_ids[name], thread.owner_id, thread.title),
        *(name, count, count, count),
        *(last, moment(begun), max(moment(begun), last or moment(begun))),
    )


def _participant(run: Run, thread: Thread) -> Columns:
    begun, count = thread.created_at, len(thread.new)
    assert begun is not None
    return (
        *(run.tenant_id, key_at(begun), thread.id, thread.owner_id, count, count),
        *(moment(begun), moment(begun)),
    )

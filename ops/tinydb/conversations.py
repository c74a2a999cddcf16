import re
import secrets

from ops.tinydb.run import Columns, Run, key_at
from ops.tinydb.threads import Thread
from ops.tinydb.values import moment

SHORT_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
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


async def import_conversations(run: Run, threads: list[Thread]) -> None:
    """The new ones, each with its owner as participant who has read everything."""
    new = [thread for thread in threads if thread.record]
    short_ids = await _short_ids(run, [t.record.natural_key for t in new if t.record])
    rows = (_conversation(run, thread, short_ids) for thread in new)
    await run.copy("conversations", COLUMNS, rows, len(new))
    await run.copy(
        "participants", PARTICIPANT, (_participant(run, thread) for thread in new), len(new)
    )


async def grow_conversations(run: Run, threads: list[Thread]) -> None:
    """Counts what was added to those that were there already."""
    grown = [thread for thread in threads if thread.new and not thread.record]
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
    record, count, begun = thread.record, len(thread.new), thread.created_at
    assert record is not None
    assert begun is not None
    last = moment(thread.new[-1][1]) if thread.new else None
    return (
        *(run.tenant_id, thread.id, short_ids[record.natural_key], thread.owner_id, record.title),
        *(record.natural_key, count, count, count),
        *(last, moment(begun), max(moment(begun), last or moment(begun))),
    )


def _participant(run: Run, thread: Thread) -> Columns:
    begun, count = thread.created_at, len(thread.new)
    assert begun is not None
    return (
        *(run.tenant_id, key_at(begun), thread.id, thread.owner_id, count, count),
        *(moment(begun), moment(begun)),
    )

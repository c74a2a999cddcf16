"""Removes for good what was deleted, and forgets what changed and which sessions ended, long ago.

Workspace by workspace, in batches of a transaction each: who writes meanwhile waits for one of them
at the most, and a purge that is stopped has done what it has done. Rows are locked before they go,
and those that somebody else has locked are left: they may be restoring them.
"""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta

from core.settings import Settings
from ops.database import Connection, as_owner

BATCH = 1000

# Whole, however long it is: of one that is half gone the rest could be restored.
CONVERSATION = """
WITH old AS (
    SELECT id FROM conversations WHERE tenant_id = $1 AND deleted_at < now() - $2::interval
     LIMIT 1 FOR UPDATE SKIP LOCKED
), said AS (
    DELETE FROM messages m USING old WHERE m.tenant_id = $1 AND m.conversation_id = old.id
    RETURNING m.id
), gone AS (
    DELETE FROM conversations c USING old WHERE c.tenant_id = $1 AND c.id = old.id RETURNING c.id
)
SELECT (SELECT count(*) FROM gone) AS conversations, (SELECT count(*) FROM said) AS messages
"""
# What is gone can no longer be told to who has missed it: the conversation remembers how far that
# goes. Its lock comes first, as in every rule; what was restored while this waited for it stays.
OF_CONVERSATIONS = """
WITH chosen AS (
    {chosen} LIMIT $3
), locked AS MATERIALIZED (
    SELECT c.id FROM conversations c
     WHERE c.tenant_id = $1 AND c.id IN (SELECT conversation_id FROM chosen)
     ORDER BY c.id FOR NO KEY UPDATE
), gone AS (
    DELETE FROM {table} t USING locked
     WHERE t.tenant_id = $1 AND t.conversation_id = locked.id
       AND t.id IN (SELECT id FROM chosen) AND {condition}
    RETURNING t.conversation_id, t.version
), forgotten AS (
    UPDATE conversations c SET forgotten_version = greatest(c.forgotten_version, g.version)
      FROM (SELECT conversation_id, max(version) AS version FROM gone GROUP BY 1) g
     WHERE c.tenant_id = $1 AND c.id = g.conversation_id
)
SELECT count(*) FROM gone
"""
OLD_MESSAGES = OF_CONVERSATIONS.format(
    table="messages",
    chosen="""SELECT m.id, m.conversation_id FROM messages m
        WHERE m.tenant_id = $1 AND m.deleted_at < now() - $2::interval""",
    condition="t.deleted_at < now() - $2::interval",
)
OLD_CHANGES = OF_CONVERSATIONS.format(
    table="message_changes",
    chosen="""SELECT mc.id, mc.conversation_id FROM message_changes mc
        WHERE mc.tenant_id = $1 AND mc.id < (SELECT uuidv7(-$2::interval))""",
    condition="true",
)
OLD_DOCUMENTS = """
WITH gone AS (
    DELETE FROM documents WHERE tenant_id = $1 AND id IN (
        SELECT id FROM documents WHERE tenant_id = $1 AND deleted_at < now() - $2::interval
         LIMIT $3 FOR UPDATE SKIP LOCKED)
    RETURNING id
)
SELECT count(*) FROM gone
"""
STATEMENTS = {
    "messages": OLD_MESSAGES,
    "message_changes": OLD_CHANGES,
    "documents": OLD_DOCUMENTS,
}
SESSIONS = """
WITH gone AS (
    DELETE FROM sessions WHERE id IN (
        SELECT id FROM sessions WHERE least(revoked_at, expires_at) < now() - $1::interval LIMIT $2)
    RETURNING id
)
SELECT count(*) FROM gone
"""


async def purge(
    settings: Settings, older_than: timedelta, announce: Callable[[str], None]
) -> Counter[str]:
    """Returns how many rows went, by table. Raises Failure."""
    gone: Counter[str] = Counter()
    async with as_owner(settings) as connection:
        for tenant in await connection.fetch("SELECT id, slug FROM tenants ORDER BY slug"):
            found = await _purge_tenant(connection, tenant["id"], older_than)
            if found.total():
                announce(f"{tenant['slug']}: {shown(found)}")
            gone += found
        gone["sessions"] += await _in_batches(connection, SESSIONS, older_than)
    return gone


async def _purge_tenant(connection: Connection, id: object, age: timedelta) -> Counter[str]:
    gone: Counter[str] = Counter()
    while found := await _purge_conversation(connection, id, age):
        gone += found
    for table, sql in STATEMENTS.items():
        gone[table] += await _in_batches(connection, sql, id, age)
    return gone


async def _purge_conversation(connection: Connection, id: object, age: timedelta) -> Counter[str]:
    """One, with what was said in it. Empty when there is none."""
    row = await connection.fetchrow(CONVERSATION, id, age)
    return +Counter(dict(row or {}))


async def _in_batches(connection: Connection, sql: str, *arguments: object) -> int:
    total = 0
    while True:
        deleted: int = await connection.fetchval(sql, *arguments, BATCH)
        total += deleted
        if deleted < BATCH:
            return total


def shown(gone: Counter[str]) -> str:
    return ", ".join(f"{rows} {table}" for table, rows in sorted(gone.items()) if rows) or "nothing"

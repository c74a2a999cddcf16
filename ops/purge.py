"""Removes for good what was deleted, and forgets sessions that ended, long enough ago.

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

ROWS = """
DELETE FROM {table} WHERE tenant_id = $1 AND id IN (
    SELECT id FROM {table} WHERE tenant_id = $1 AND deleted_at < now() - $2::interval
     LIMIT $3 FOR UPDATE SKIP LOCKED)
"""
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
SESSIONS = """
DELETE FROM sessions WHERE id IN (
    SELECT id FROM sessions WHERE least(revoked_at, expires_at) < now() - $1::interval LIMIT $2)
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
    for table in ("messages", "documents"):
        gone[table] = await _in_batches(connection, ROWS.format(table=table), id, age)
    while found := await _purge_conversation(connection, id, age):
        gone += found
    return gone


async def _purge_conversation(connection: Connection, id: object, age: timedelta) -> Counter[str]:
    """One, with what was said in it. Empty when there is none."""
    row = await connection.fetchrow(CONVERSATION, id, age)
    return +Counter(dict(row or {}))


async def _in_batches(connection: Connection, sql: str, *arguments: object) -> int:
    total = 0
    while True:
        tag = await connection.execute(sql, *arguments, BATCH)
        total += (deleted := int(tag.rsplit(" ", 1)[1]))
        if deleted < BATCH:
            return total


def shown(gone: Counter[str]) -> str:
    return ", ".join(f"{rows} {table}" for table, rows in sorted(gone.items()) if rows) or "nothing"

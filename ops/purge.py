"""Removes for good what was deleted, and forgets sessions that ended, long enough ago.

Workspace by workspace, in batches of a transaction each: who writes meanwhile waits for one of them
at the most, and a purge that is stopped has done what it has done.
"""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta

from core.settings import Settings
from ops.database import Connection, as_owner

BATCH = 1000

# Their rows first that would go with a conversation, so that no batch takes thousands along.
TABLES = ("messages", "documents", "conversations")
MESSAGES_OF_CONVERSATIONS = """
DELETE FROM messages WHERE tenant_id = $1 AND id IN (
    SELECT m.id FROM conversations c JOIN messages m
        ON m.tenant_id = $1 AND m.conversation_id = c.id
     WHERE c.tenant_id = $1 AND c.deleted_at < now() - $2::interval LIMIT $3)
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
    gone = Counter(messages=await _in_batches(connection, MESSAGES_OF_CONVERSATIONS, id, age))
    for table in TABLES:
        sql = f"""DELETE FROM {table} WHERE tenant_id = $1 AND id IN (
            SELECT id FROM {table} WHERE tenant_id = $1 AND deleted_at < now() - $2::interval
            LIMIT $3)"""
        gone[table] += await _in_batches(connection, sql, id, age)
    return gone


async def _in_batches(connection: Connection, sql: str, *arguments: object) -> int:
    total = 0
    while True:
        tag = await connection.execute(sql, *arguments, BATCH)
        total += (deleted := int(tag.rsplit(" ", 1)[1]))
        if deleted < BATCH:
            return total


def shown(gone: Counter[str]) -> str:
    return ", ".join(f"{rows} {table}" for table, rows in sorted(gone.items()) if rows) or "nothing"

"""Workspaces with a row in every table, and how to see that the pool is whole."""

import asyncio
from dataclasses import dataclass
from typing import Any, TypeAlias
from uuid import UUID

import asyncpg
from uuid_utils.compat import uuid7

from tables.engine import DB
from tests.conftest import Database

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


@dataclass(frozen=True)
class Workspace:
    """Two conversations, two messages in the first, two documents, the first of each linked."""

    tenant_id: UUID
    user_id: UUID
    conversation_id: UUID
    message_id: UUID
    document_id: UUID


async def add_row(connection: Connection, table: str, **values: Any) -> UUID:
    values.setdefault("id", uuid7())
    columns = ", ".join(values)
    marks = ", ".join(f"${number}" for number in range(1, len(values) + 1))
    await connection.execute(f"INSERT INTO {table} ({columns}) VALUES ({marks})", *values.values())
    found: UUID = values["id"]
    return found


async def add_workspace(connection: Connection, slug: str, user_id: UUID) -> Workspace:
    tenant_id = await add_row(connection, "tenants", slug=slug, name=slug)

    async def add(table: str, **values: Any) -> UUID:
        return await add_row(connection, table, tenant_id=tenant_id, **values)

    await add("memberships", user_id=user_id, role="MEMBER")
    conversations = [
        await add("conversations", short_id=name, title=name, owner_id=user_id)
        for name in ("first", "second")
    ]
    await add("participants", conversation_id=conversations[0], user_id=user_id)
    messages = [
        await add(
            "messages",
            conversation_id=conversations[0],
            author_id=user_id,
            sequence=number,
            version=number,
            role="USER",
            content=slug,
        )
        for number in (1, 2)
    ]
    if await connection.fetchval("SELECT to_regclass('message_changes')"):  # not migrated back
        await add(
            "message_changes",
            conversation_id=conversations[0],
            message_id=messages[0],
            version=3,
            kind="EDITED",
        )
    documents = [await add("documents", filename=f"{n}.txt", owner_id=user_id) for n in (1, 2)]
    await add("message_documents", message_id=messages[0], document_id=documents[0])
    await add("audit_events", action="tenant.created", actor_id=user_id)
    return Workspace(tenant_id, user_id, conversations[0], messages[0], documents[0])


async def pool_is_whole(database: Database) -> bool:
    """All connections are back, and no session of the application is in a transaction."""
    pool = DB.running_pool()
    async with asyncio.timeout(5):
        while pool.get_idle_size() != pool.get_size():
            await asyncio.sleep(0.01)
    connection = await database.connect("postgres")  # others see no state
    try:
        busy = await connection.fetch(
            "SELECT pid, state, query FROM pg_stat_activity WHERE usename = 'parley_app'"
            " AND datname = current_database() AND state <> 'idle'"
        )
    finally:
        await connection.close()
    return not busy

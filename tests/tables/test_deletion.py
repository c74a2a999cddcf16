"""What goes, and what stays, with a tenant and with a person."""

import asyncio
from typing import Any

import pytest

from tables.engine import DB
from tests.conftest import Database
from tests.tables.conftest import Tenants
from tests.tables.world import Connection, add_row

TABLES = """
    SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace
       AND relkind IN ('r', 'p') AND relname NOT IN ('migration', 'cache_invalidations')
     ORDER BY relname
"""


async def _counts(connection: Connection) -> dict[str, int]:
    """Rows of every table."""
    return {
        row["relname"]: await connection.fetchval(f"SELECT count(*) FROM {row['relname']}")
        for row in await connection.fetch(TABLES)
    }


async def _sign_in(connection: Connection, user_id: Any, tenant_id: Any) -> None:
    session = await add_row(connection, "sessions", user_id=user_id, home_tenant_id=tenant_id)
    await add_row(connection, "refresh_tokens", session_id=session, token_hash=session.bytes)


@pytest.fixture
async def owner(db: Database, tenants: Tenants) -> Connection:
    """Ada and Bob are signed in, and Bob took part in Ada's conversation before he goes."""
    connection = await db.connect()
    acme, bob = tenants.acme, tenants.globex.user_id
    await _sign_in(connection, acme.user_id, acme.tenant_id)
    await _sign_in(connection, bob, tenants.globex.tenant_id)
    shared = {"tenant_id": acme.tenant_id, "conversation_id": acme.conversation_id}
    await add_row(connection, "memberships", tenant_id=acme.tenant_id, user_id=bob, role="MEMBER")
    await add_row(connection, "participants", **shared, user_id=bob)
    await add_row(
        connection,
        "messages",
        **shared,
        author_id=bob,
        sequence=3,
        version=3,
        role="USER",
        content="from Bob",
    )
    await add_row(connection, "audit_events", tenant_id=acme.tenant_id, action="x", actor_id=bob)
    return connection


async def test_a_tenant_goes_with_all_its_rows_and_no_others(
    owner: Connection, tenants: Tenants
) -> None:
    people = {"users": 2, "sessions": 2, "refresh_tokens": 2}
    before = await _counts(owner)
    assert min(before.values()) > 0  # a new table wants its rows in world.py
    await owner.execute("DELETE FROM tenants WHERE id = $1", tenants.globex.tenant_id)
    left = await _counts(owner)
    assert {table: left[table] for table in people} == people
    for table in left.keys() - people.keys() - {"tenants"}:
        assert left[table] == await owner.fetchval(
            f"SELECT count(*) FROM {table} WHERE tenant_id = $1", tenants.acme.tenant_id
        )
    assert await owner.fetchval("SELECT count(*) FROM sessions WHERE home_tenant_id IS NULL") == 1
    await owner.execute("DELETE FROM tenants")
    assert {table: rows for table, rows in (await _counts(owner)).items() if rows} == people
    await owner.close()


async def test_a_person_goes_and_what_they_said_to_others_stays(
    owner: Connection, tenants: Tenants
) -> None:
    before = await _counts(owner)
    bob = tenants.globex.user_id
    await owner.execute("DELETE FROM users WHERE id = $1", bob)
    left = await _counts(owner)
    gone = {table: before[table] - left[table] for table in before if before[table] != left[table]}
    assert gone == {
        "users": 1,
        "sessions": 1,
        "refresh_tokens": 1,
        "memberships": 2,
        "participants": 2,
        # In globex they talked to themselves.
        "conversations": 1,
        "messages": 2,
        "message_changes": 1,
        "message_documents": 1,
    }
    message = await owner.fetchrow("SELECT * FROM messages WHERE content = 'from Bob'")
    assert message is not None
    assert (message["author_id"], message["conversation_id"]) == (
        None,
        tenants.acme.conversation_id,
    )
    for table, column in (
        ("conversations", "owner_id"),
        ("documents", "owner_id"),
        ("audit_events", "actor_id"),
    ):
        rows = await owner.fetch(f"SELECT {column}, tenant_id FROM {table}")
        assert {row[column] for row in rows} == {None, tenants.acme.user_id}
    await owner.close()


async def test_who_is_brought_in_meanwhile_keeps_the_conversation(
    owner: Connection, db: Database, tenants: Tenants
) -> None:
    acme, globex = tenants.acme, tenants.globex
    shared = {"tenant_id": globex.tenant_id, "user_id": acme.user_id}
    await add_row(owner, "memberships", **shared, role="MEMBER")
    other = await db.connect()
    async with owner.transaction():
        await owner.execute(
            "SELECT FROM conversations WHERE id = $1 FOR NO KEY UPDATE", globex.conversation_id
        )
        await add_row(owner, "participants", **shared, conversation_id=globex.conversation_id)
        deleting = asyncio.create_task(
            other.execute("DELETE FROM users WHERE id = $1", globex.user_id)
        )
        await asyncio.sleep(0.3)
    assert await deleting == "DELETE 1"
    left = await owner.fetchval(
        "SELECT count(*) FROM conversations WHERE id = $1", globex.conversation_id
    )
    assert left == 1
    await other.close()
    await owner.close()


async def test_a_person_who_leaves_is_still_the_author(db: Database, tenants: Tenants) -> None:
    owner = await db.connect()
    await owner.execute("UPDATE memberships SET is_active = false")
    await owner.close()
    async with DB.tenant(tenants.acme.tenant_id):
        tag = await DB.execute(
            "SELECT 1 FROM messages m JOIN tenant_users u ON u.id = m.author_id"
            " WHERE u.username = 'ada' AND NOT u.membership_is_active"
        )
    assert tag == "SELECT 2"


@pytest.mark.parametrize("table", ["tenants", "users"])
async def test_nobody_at_run_time_can_delete(db: Database, tenants: Tenants, table: str) -> None:
    for scope in (DB.tenant(tenants.acme.tenant_id), DB.identity()):
        with pytest.raises(Exception, match="permission denied"):
            async with scope:
                await DB.execute(f"DELETE FROM {table}")

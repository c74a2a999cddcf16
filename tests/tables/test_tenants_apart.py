"""The database itself keeps two tenants apart: reading, writing, pointing, racing."""

import asyncio
import random
from collections import Counter
from typing import Any

import asyncpg
import orjson
import pytest
from uuid_utils.compat import uuid7

from tables import Message
from tables.engine import DB, Row
from tests.conftest import Database
from tests.tables.conftest import Tenants
from tests.tables.world import Workspace, add_row, pool_is_whole

TENANT_TABLES = """
    SELECT relname::text AS name,
           has_table_privilege('parley_tenant', oid, 'INSERT') AS insertable,
           has_table_privilege('parley_tenant', oid, 'UPDATE') AS updatable,
           has_table_privilege('parley_tenant', oid, 'DELETE') AS deletable
      FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
       AND EXISTS (SELECT FROM pg_attribute WHERE attrelid = pg_class.oid AND attname = 'tenant_id')
     ORDER BY relname
"""

FOREIGN_KEYS = """
    SELECT c.conrelid::regclass::text AS source, c.confrelid::regclass::text AS target,
           (SELECT string_agg(a.attname, ',') FROM pg_attribute a
             WHERE a.attrelid = c.conrelid AND a.attnum = ANY (c.conkey)
               AND a.attname <> 'tenant_id') AS column,
           (SELECT string_agg(a.attname, ',') FROM pg_attribute a
             WHERE a.attrelid = c.confrelid AND a.attnum = ANY (c.confkey)
               AND a.attname <> 'tenant_id') AS target_column
      FROM pg_constraint c
      JOIN pg_attribute t ON t.attrelid = c.confrelid AND t.attname = 'tenant_id'
     WHERE c.contype = 'f' ORDER BY c.conname
"""

# A copy of a row of the table, with some columns replaced.
COPY = """
    INSERT INTO {0} SELECT (jsonb_populate_record(r, $1)).* FROM {0} r ORDER BY r.id LIMIT 1
"""


async def _catalog(database: Database, query: str) -> list[asyncpg.Record]:
    owner = await database.connect()
    rows = await owner.fetch(query)
    await owner.close()
    assert len(rows) > 3
    return rows


async def _add_guests(database: Database, tenants: Tenants) -> None:
    """Members who take part in nothing yet."""
    owner = await database.connect()
    for workspace in (tenants.acme, tenants.globex):
        tenant_id = workspace.tenant_id
        guest = await add_row(owner, "users", username=f"guest-of-{tenant_id}")
        await add_row(owner, "memberships", tenant_id=tenant_id, user_id=guest, role="MEMBER")
    await owner.close()


async def _copy(workspace: Workspace, table: str, **replaced: Any) -> None:
    async with DB.tenant(workspace.tenant_id):
        values = orjson.loads(orjson.dumps(replaced, default=str))
        await DB.execute(COPY.format(table), values)


async def _values(database: Database, table: str, column: str, workspace: Workspace) -> list[Any]:
    owner = await database.connect()
    rows = await owner.fetch(
        f"SELECT {column} FROM {table} WHERE tenant_id = $1 ORDER BY id", workspace.tenant_id
    )
    await owner.close()
    return [row[column] for row in rows]


async def test_a_row_cannot_point_at_another_tenants_row(db: Database, tenants: Tenants) -> None:
    await _add_guests(db, tenants)
    for key in await _catalog(db, FOREIGN_KEYS):
        own, foreign = [
            (await _values(db, key["target"], key["target_column"], tenant))[-1]
            for tenant in (tenants.acme, tenants.globex)
        ]
        column, fresh = key["column"], {"version": 99}  # where there is one
        with pytest.raises(asyncpg.ForeignKeyViolationError):
            await _copy(tenants.acme, key["source"], id=uuid7(), **fresh | {column: foreign})
        await _copy(tenants.acme, key["source"], id=uuid7(), **fresh | {column: own})
    assert await pool_is_whole(db)


async def test_a_row_cannot_be_put_into_another_tenant(db: Database, tenants: Tenants) -> None:
    theirs = tenants.globex.tenant_id
    for table in await _catalog(db, TENANT_TABLES):
        assert table["insertable"], f"{table['name']}: say here how it gets its rows"
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
            await _copy(tenants.acme, table["name"], tenant_id=theirs)
        if table["updatable"]:
            with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
                async with DB.tenant(tenants.acme.tenant_id):
                    await DB.execute(f"UPDATE {table['name']} SET tenant_id = $1", theirs)
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
        async with DB.tenant(tenants.acme.tenant_id):
            await DB.execute("UPDATE tenants SET id = uuidv7()")


async def test_another_tenants_rows_are_not_there(db: Database, tenants: Tenants) -> None:
    theirs = tenants.globex.tenant_id
    async with DB.tenant(tenants.acme.tenant_id):
        for table in await _catalog(db, TENANT_TABLES):
            name = table["name"]
            rows = await DB.fetch(Row, f"SELECT DISTINCT tenant_id FROM {name}")
            assert [row.tenant_id for row in rows] == [tenants.acme.tenant_id]
            assert await DB.fetch(Row, f"SELECT 1 FROM {name} WHERE tenant_id = $1", theirs) == []
            if table["updatable"]:
                tag = await DB.execute(f"UPDATE {name} SET id = id WHERE tenant_id = $1", theirs)
                assert tag == "UPDATE 0"
            if table["deletable"]:
                tag = await DB.execute(f"DELETE FROM {name} WHERE tenant_id = $1", theirs)
                assert tag == "DELETE 0"
        assert [row.slug for row in await DB.fetch(Row, "SELECT slug FROM tenants")] == ["acme"]
        people = await DB.fetch(Row, "SELECT username FROM tenant_users")
        assert {row.username for row in people} == {"ada"}


async def test_a_condition_sees_no_row_before_the_view_does(db: Database, tenants: Tenants) -> None:
    """Without its barrier, a cheap function in WHERE would run on the people of all tenants."""
    owner = await db.connect()
    await owner.execute("""
        CREATE FUNCTION peek(name text) RETURNS bool LANGUAGE plpgsql COST 0.0000001 AS
            'BEGIN IF name <> ''bob'' THEN RAISE ''saw %'', name; END IF; RETURN true; END'
    """)
    query = "SELECT username FROM tenant_users WHERE peek(username)"
    all_first = "SET LOCAL enable_nestloop = off"
    async with DB.tenant(tenants.globex.tenant_id):
        await DB.execute(all_first)
        assert [row.username for row in await DB.fetch(Row, query)] == ["bob"]
    await owner.execute("ALTER VIEW tenant_users RESET (security_barrier)")
    await owner.close()
    with pytest.raises(asyncpg.RaiseError, match="saw ada"):
        async with DB.tenant(tenants.globex.tenant_id):
            await DB.execute(all_first)
            await DB.fetch(Row, query)


async def test_two_tenants_interleaved_on_one_pool(database: Database, tenants: Tenants) -> None:
    await DB.open(database.url("parley_app"), size=4)
    chance = random.Random(2)
    slots = asyncio.Semaphore(12)
    seen: Counter[tuple[str, str]] = Counter()

    async def request(slug: str, workspace: Workspace, number: int) -> None:
        async with slots, DB.tenant(workspace.tenant_id, read_only=number % 2 == 0):
            raw, built = await asyncio.gather(
                DB.fetch(Row, "SELECT content FROM messages"), Message.select(Message.content)
            )
            seen.update((slug, row["content"]) for row in (*raw, *built))
            if number % 7 == 0:
                await DB.execute("SELECT 1 / 0")

    both = [("acme", tenants.acme), ("globex", tenants.globex)]
    outcomes = await asyncio.gather(
        *(request(*chance.choice(both), number) for number in range(3000)), return_exceptions=True
    )
    assert set(seen) == {("acme", "acme"), ("globex", "globex")}
    assert sum(seen.values()) == 4 * 3000
    assert sum(outcome is not None for outcome in outcomes) == len(range(0, 3000, 7))
    assert await pool_is_whole(database)

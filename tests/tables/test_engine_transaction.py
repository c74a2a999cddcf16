"""A scope is a transaction: what it sees, what it keeps, what it reports."""

import asyncpg
import pytest

from tables import Message
from tables.engine import DB, NoScope, Row
from tests.conftest import Database
from tests.tables.conftest import Tenants
from tests.tables.world import pool_is_whole


async def test_a_read_only_scope_is_one_snapshot(db: Database, tenants: Tenants) -> None:
    async def post() -> None:
        connection = await db.connect()
        await connection.execute("UPDATE messages SET content = 'edited'")
        await connection.close()

    async with DB.tenant(tenants.acme.tenant_id, read_only=True):
        before = await Message.select(Message.content)
        await post()
        assert await Message.select(Message.content) == before
    async with DB.tenant(tenants.acme.tenant_id):
        await Message.count()
        assert await Message.select(Message.content) != before


async def test_a_read_only_scope_refuses_to_write(db: Database, tenants: Tenants) -> None:
    async with DB.tenant(tenants.acme.tenant_id, read_only=True):
        with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
            await DB.execute("UPDATE messages SET content = 'x'")
    assert await pool_is_whole(db)


async def test_an_exception_rolls_back(db: Database, tenants: Tenants) -> None:
    with pytest.raises(ZeroDivisionError):
        async with DB.tenant(tenants.acme.tenant_id):
            await DB.execute("UPDATE messages SET content = 'x'")
            raise ZeroDivisionError
    async with DB.tenant(tenants.acme.tenant_id):
        assert await Message.count().where(Message.content == "x") == 0
    assert await pool_is_whole(db)


async def test_commit_reports_a_failure_that_was_swallowed(db: Database, tenants: Tenants) -> None:
    pool = DB.running_pool()
    size = pool.get_size()
    with pytest.raises(asyncpg.InFailedSQLTransactionError):
        async with DB.tenant(tenants.acme.tenant_id):
            await DB.execute("UPDATE messages SET content = 'x'")
            with pytest.raises(asyncpg.UndefinedTableError):
                await DB.execute("SELECT * FROM nothing")
    async with DB.tenant(tenants.acme.tenant_id):
        assert await Message.count().where(Message.content == "x") == 0
    assert await pool_is_whole(db)
    assert pool.get_size() == size  # the connection is as good as before


async def test_a_savepoint_saves_the_rest(db: Database, tenants: Tenants) -> None:
    async with DB.tenant(tenants.acme.tenant_id) as scope:
        savepoint = await scope.savepoint()
        with pytest.raises(asyncpg.UniqueViolationError):
            await DB.execute("UPDATE conversations SET short_id = 'same'")
        await savepoint.rollback_to()  # type: ignore[no-untyped-call]
        await DB.execute("UPDATE messages SET content = 'x'")
    async with DB.tenant(tenants.acme.tenant_id):
        assert await Message.count().where(Message.content == "x") == 2


async def test_commit_and_rollback_by_hand_end_the_scope(db: Database, tenants: Tenants) -> None:
    async with DB.tenant(tenants.acme.tenant_id) as scope:
        await DB.execute("UPDATE messages SET content = 'kept'")
        await scope.commit()
        with pytest.raises(NoScope):
            await Message.count()
    async with DB.tenant(tenants.acme.tenant_id) as scope:
        await DB.execute("UPDATE messages SET content = 'lost'")
        await scope.rollback()
    async with DB.tenant(tenants.acme.tenant_id):
        assert {row["content"] for row in await Message.select(Message.content)} == {"kept"}
    assert await pool_is_whole(db)


async def test_a_value_of_a_wrong_form_fails_its_scope_alone(
    db: Database, tenants: Tenants
) -> None:
    for value in (10**20, "\x00"):
        with pytest.raises(asyncpg.DataError):
            async with DB.tenant(tenants.acme.tenant_id):
                kind = "int" if isinstance(value, int) else "text"
                await DB.fetch(Row, f"SELECT $1::{kind}", value)
    assert await pool_is_whole(db)

"""A scope is a transaction: what it sees, what it keeps, what it reports."""

import contextlib

import asyncpg
import pytest

from tables import Message
from tables.engine import DB, NoScope, Row
from tests.conftest import Database
from tests.tables.conftest import Tenants
from tests.tables.world import Workspace, pool_is_whole


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


WHO = """SELECT current_user::text AS name, current_setting('app.tenant_id') AS tenant,
    current_setting('transaction_isolation') AS level, txid_current_if_assigned() AS id"""


async def _alone(workspace: Workspace, query: str, *args: object) -> list[Row]:
    async with DB.tenant(workspace.tenant_id, read_only=True):
        return await DB.fetch(Row, query, *args, alone=True)


async def test_a_statement_alone_is_a_transaction_by_itself(
    database: Database, tenants: Tenants
) -> None:
    await DB.open(database.url("parley_app"), size=1)
    levels = []
    for workspace in (tenants.acme, tenants.acme, tenants.globex):
        ((name, tenant, level, _),) = await _alone(workspace, WHO)
        assert (name, tenant) == ("parley_tenant", str(workspace.tenant_id))
        levels.append(level)
    # A connection that does not keep the statement yet begins as for many.
    assert levels == ["repeatable read", "read committed", "read committed"]
    left = await DB.running_pool().fetchrow("SELECT current_user, txid_current_if_assigned()")
    assert left is not None
    assert tuple(left) == ("parley_app", None)


async def test_a_statement_alone_may_not_write(database: Database, tenants: Tenants) -> None:
    await DB.open(database.url("parley_app"), size=1)
    for _ in range(3):
        with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
            await _alone(tenants.acme, "UPDATE messages SET content = 'x' RETURNING id")
    assert await pool_is_whole(database)


async def test_a_statement_that_follows_one_alone(database: Database, tenants: Tenants) -> None:
    """Is of the same workspace, and sees what was committed meanwhile."""
    await DB.open(database.url("parley_app"), size=1)
    for _ in range(2):
        async with DB.tenant(tenants.acme.tenant_id, read_only=True):
            await DB.fetch(Row, WHO, alone=True)
            assert len(await Message.select()) == 2
            assert (await DB.fetch(Row, WHO))[0].level == "repeatable read"
    for _ in range(2):
        async with DB.tenant(tenants.acme.tenant_id, read_only=True):
            await DB.fetch(Row, WHO, alone=True)
            await DB.fetch_identity(Row, "SELECT 1 FROM users")
            assert (await DB.fetch(Row, WHO, alone=True))[0].level == "repeatable read"
    assert await pool_is_whole(database)


async def test_a_statement_alone_in_a_scope_that_writes(
    database: Database, tenants: Tenants
) -> None:
    await DB.open(database.url("parley_app"), size=1)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            async with DB.tenant(tenants.acme.tenant_id):
                query = "UPDATE messages SET content = 'lost' RETURNING id"
                assert await DB.fetch(Row, query, alone=True)
                raise ZeroDivisionError
    assert await _alone(tenants.acme, "SELECT 1 FROM messages WHERE content = 'lost'") == []


@pytest.mark.parametrize("alone", [True, False])
async def test_a_first_statement_that_fails(
    database: Database, tenants: Tenants, alone: bool
) -> None:
    """In PostgreSQL, or before it gets there; and the connection is good for another workspace."""
    await DB.open(database.url("parley_app"), size=1)
    query = "SELECT 1 / $1::int AS one, content FROM messages"
    for value, expected in (
        (1, None),
        (0, asyncpg.DivisionByZeroError),
        ("x", asyncpg.DataError),
    ) * 3:
        with contextlib.nullcontext() if expected is None else pytest.raises(expected):
            async with DB.tenant(tenants.acme.tenant_id, read_only=True):
                assert len(await DB.fetch(Row, query, value, alone=alone)) == 2
        assert [row.tenant for row in await _alone(tenants.globex, WHO)] == [
            str(tenants.globex.tenant_id)
        ]
    pool = DB.running_pool()
    assert pool.get_size() == 1


@pytest.mark.parametrize("alone", [True, False])
async def test_what_a_transaction_begins_with_fails(
    database: Database, tenants: Tenants, alone: bool
) -> None:
    """Then the statement does not run, whoever's it was before."""
    await DB.open(database.url("parley_app"), size=1)
    for _ in range(2):
        await _alone(tenants.acme, WHO)
    DB._limits = "SET LOCAL nothing_of_that_name = 1;"
    for _ in range(2):
        with pytest.raises(asyncpg.UndefinedObjectError):
            async with DB.tenant(tenants.acme.tenant_id, read_only=True):
                await DB.fetch(Row, WHO, alone=alone)
    DB._limits = ""
    assert len(await _alone(tenants.acme, WHO)) == 1
    assert await pool_is_whole(database)

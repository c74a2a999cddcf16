"""What a scope does for the resolvers inside it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast
from uuid import UUID

import pytest
from piccolo.engine.exceptions import TransactionError

from tables import Conversation, Message, Tenant
from tables.engine import DB, NoScope, Row
from tests.conftest import Database
from tests.tables.conftest import Tenants
from tests.tables.world import pool_is_whole


async def _next(batch: Any) -> None:
    async with await batch as rows:
        await rows.next()


OUTSIDE: dict[str, Callable[[], Awaitable[object]]] = {
    "select": lambda: Tenant.select().run(),
    "objects": lambda: Tenant.objects().run(),
    "insert": lambda: Tenant.insert(Tenant(slug="a", name="a")).run(),
    "update": lambda: Tenant.update(name="b", force=True).run(),
    "delete": lambda: Tenant.delete(force=True).run(),
    "save": lambda: Tenant(slug="a", name="a").save().run(),
    "raw": lambda: Tenant.raw("SELECT 1").run(),
    "in_pool": lambda: Tenant.select().run(in_pool=False),
    "create_table": lambda: Tenant.create_table().run(),  # type: ignore[no-untyped-call]
    "run_ddl": lambda: DB.run_ddl("DROP TABLE tenants"),
    "batch": lambda: _next(Tenant.select().batch()),
    "atomic": lambda: DB.atomic().run(),  # type: ignore[no-untyped-call]
    "new_connection": DB.get_new_connection,
    "transaction": lambda: DB.transaction().begin(),  # type: ignore[no-untyped-call]
    "fetch": lambda: DB.fetch(Row, "SELECT 1"),
    "fetch_identity": lambda: DB.fetch_identity(Row, "SELECT 1"),
    "execute": lambda: DB.execute("SELECT 1"),
    "thread": lambda: asyncio.to_thread(lambda: Tenant.select().run_sync()),
}


async def test_outside_of_a_scope_every_query_raises(db: Database) -> None:
    answers = {name: await _outcome(query) for name, query in OUTSIDE.items()}
    assert answers == dict.fromkeys(OUTSIDE, NoScope)


async def _outcome(query: Callable[[], Awaitable[object]]) -> object:
    try:
        return await query()
    except Exception as error:  # noqa: BLE001
        return type(error)


async def test_gathered_resolvers_share_one_transaction(db: Database, tenants: Tenants) -> None:
    async with DB.tenant(tenants.acme.tenant_id):
        answers = await asyncio.gather(
            *(DB.fetch(Row, "SELECT pg_current_xact_id()::text AS id") for _ in range(10)),
        )
        titles = await Conversation.select(Conversation.title).order_by(Conversation.title)
    assert len({rows[0].id for rows in answers}) == 1
    assert [row["title"] for row in titles] == ["first", "second"]
    assert await pool_is_whole(db)


async def test_a_scope_without_a_query_takes_no_connection(db: Database, tenants: Tenants) -> None:
    pool = DB.running_pool()
    async with DB.tenant(tenants.acme.tenant_id):
        assert pool.get_idle_size() == pool.get_size()
        await DB.execute("SELECT 1")
        assert pool.get_idle_size() == pool.get_size() - 1


async def test_a_scope_inside_a_scope_is_refused(db: Database, tenants: Tenants) -> None:
    async with DB.tenant(tenants.acme.tenant_id):
        await DB.execute("SELECT 1")
        with pytest.raises(TransactionError):
            async with DB.tenant(tenants.globex.tenant_id):
                pytest.fail("two tenants at once")
        assert await Message.count() == 2
    assert await pool_is_whole(db)


async def test_a_task_that_outlives_its_scope(db: Database, tenants: Tenants) -> None:
    gone = asyncio.Event()

    async def late() -> int:
        await gone.wait()
        with pytest.raises(NoScope, match="ended"):
            await Message.count()
        async with DB.tenant(tenants.globex.tenant_id):  # of its own: no objection
            return cast("int", await Message.count().where(Message.content == "globex"))

    async with DB.tenant(tenants.acme.tenant_id):
        await Message.count()
        task = asyncio.create_task(late())
    gone.set()
    assert await task == 2
    assert await pool_is_whole(db)


@pytest.mark.parametrize("read_only", [True, False])
async def test_statements_that_wait_when_the_scope_ends_do_not_run(
    db: Database, tenants: Tenants, read_only: bool
) -> None:
    async with DB.tenant(tenants.acme.tenant_id, read_only=read_only):
        in_flight = asyncio.create_task(DB.fetch(Row, "SELECT pg_sleep(0.1), 1 AS one"))
        waiting = asyncio.create_task(DB.fetch(Row, "SELECT 2 AS two"))
        await asyncio.sleep(0.05)
    assert (await in_flight)[0].one == 1
    with pytest.raises(NoScope, match="ended"):
        await waiting
    assert await pool_is_whole(db)


async def test_an_abandoned_generator_gives_its_connection_back(
    db: Database, tenants: Tenants
) -> None:
    async def events() -> Any:
        async with DB.tenant(tenants.acme.tenant_id):
            await Message.count()
            yield

    generator = events()
    await asyncio.create_task(anext(generator))
    await asyncio.create_task(generator.aclose())  # another task, hence another context
    assert await pool_is_whole(db)


@pytest.mark.parametrize("tenant", ["'; RESET ROLE; --", "", "' OR true", "0" * 31, None])
async def test_only_a_uuid_gets_into_the_preamble(db: Database, tenant: object) -> None:
    with pytest.raises((ValueError, NoScope)):
        async with DB.tenant(cast("UUID", tenant)):
            await Tenant.select()


async def test_the_tenant_and_the_role_end_with_the_scope(db: Database, tenants: Tenants) -> None:
    async with DB.tenant(tenants.acme.tenant_id):
        await DB.execute("SELECT 1")
    left = await DB.running_pool().fetchrow(
        "SELECT current_user, nullif(current_setting('app.tenant_id', true), '') AS tenant"
    )
    assert left is not None
    assert tuple(left) == ("parley_app", None)


@pytest.mark.parametrize("read_only", [True, False])
async def test_limits_hold_in_each_scope(database: Database, read_only: bool) -> None:
    """Without prepared statements, as behind PgBouncer, they are not of the session: it would
    refuse such a connection."""
    url = database.url("parley_app")
    query = """SELECT current_setting('jit') AS jit, current_setting('statement_timeout') AS one,
        current_setting('idle_in_transaction_session_timeout') AS idle"""
    for cache, outside in ((0, ("on", "0", "0")), (1024, ("off", "7s", "7s"))):
        await DB.open(url, size=1, statement_timeout=7, statement_cache_size=cache)
        async with DB.identity(read_only=read_only):
            assert tuple((await DB.fetch(Row, query))[0]) == ("off", "7s", "7s")
        left = await DB.running_pool().fetchrow(query)
        assert left is not None
        assert tuple(left) == outside
        await DB.close()


async def test_opening_twice_and_using_what_is_closed_are_said_clearly(
    database: Database, tenants: Tenants
) -> None:
    await DB.open(database.url("parley_app"), size=1)
    with pytest.raises(RuntimeError, match="open already"):
        await DB.open(database.url("parley_app"), size=1)
    await DB.close()
    await DB.close()
    with pytest.raises(RuntimeError, match="not open"):
        async with DB.tenant(tenants.acme.tenant_id):
            await DB.execute("SELECT 1")

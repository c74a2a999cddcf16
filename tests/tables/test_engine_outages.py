"""PostgreSQL restarts, hangs, refuses, or has no connection left."""

import asyncio
import os
import signal
import time

import asyncpg
import pytest

from tables.connection import ALIVE
from tables.engine import DB, Row
from tables.scope import LOST_CONNECTION
from tests.conftest import Database
from tests.tables.conftest import Tenants
from tests.tables.world import Workspace, pool_is_whole

TERMINATE = """
    SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
     WHERE usename = 'parley_app' AND datname = current_database()
"""


async def _read(workspace: Workspace) -> int:
    async with DB.tenant(workspace.tenant_id, read_only=True):
        return len(await DB.fetch(Row, "SELECT * FROM messages"))


async def test_the_requests_after_a_restart_succeed(db: Database, tenants: Tenants) -> None:
    admin = await db.connect("postgres")
    for _ in range(5):
        assert await asyncio.gather(*(_read(tenants.acme) for _ in range(8))) == [2] * 8
        assert await admin.fetchval(TERMINATE) > 0
    await admin.close()
    assert await asyncio.gather(*(_read(tenants.acme) for _ in range(8))) == [2] * 8
    assert await pool_is_whole(db)


async def test_backends_killed_under_load(db: Database, tenants: Tenants) -> None:
    admin = await db.connect("postgres")
    running = True
    answers: list[int | BaseException] = []

    async def worker() -> None:
        while running:
            answers.extend(await asyncio.gather(_read(tenants.acme), return_exceptions=True))

    workers = [asyncio.create_task(worker()) for _ in range(16)]
    for _ in range(20):
        await asyncio.sleep(0.05)
        await admin.execute(TERMINATE)
    running = False
    await asyncio.gather(*workers)
    await admin.close()
    failures = [answer for answer in answers if isinstance(answer, BaseException)]
    assert all(isinstance(failure, LOST_CONNECTION) for failure in failures), set(failures)
    assert answers.count(2) == len(answers) - len(failures) > 100
    assert await asyncio.gather(*(_read(tenants.acme) for _ in range(8))) == [2] * 8
    assert await pool_is_whole(db)


async def test_a_lost_connection_inside_a_scope_fails_its_commit(
    db: Database, tenants: Tenants
) -> None:
    admin = await db.connect("postgres")
    with pytest.raises(LOST_CONNECTION):
        async with DB.tenant(tenants.acme.tenant_id):
            await DB.execute("UPDATE messages SET content = 'lost'")
            await admin.execute(TERMINATE)
    await admin.close()
    assert await pool_is_whole(db)
    async with DB.tenant(tenants.acme.tenant_id):
        assert await DB.fetch(Row, "SELECT 1 FROM messages WHERE content = 'lost'") == []


async def test_a_server_that_vanished_costs_one_timeout(
    database: Database, tenants: Tenants
) -> None:
    await DB.open(database.url("parley_app"), size=2, acquire_timeout=0.5)
    pids = await asyncio.gather(*(_backend(tenants.acme) for _ in range(2)))
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)  # neither answers nor closes its socket
    await asyncio.sleep(ALIVE)
    try:
        began = time.monotonic()
        assert await _read(tenants.acme) == 2
        assert time.monotonic() - began < 2
        assert await asyncio.gather(*(_read(tenants.acme) for _ in range(2))) == [2, 2]
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


async def _backend(workspace: Workspace) -> int:
    async with DB.tenant(workspace.tenant_id):
        rows = await DB.fetch(Row, "SELECT pg_backend_pid() AS pid, pg_sleep(0.1)")
    pid: int = rows[0].pid
    return pid


async def test_a_commit_that_fails_gives_its_connection_back(
    db: Database, tenants: Tenants
) -> None:
    owner = await db.connect()
    await owner.execute("""
        CREATE TABLE scratch (n int UNIQUE DEFERRABLE INITIALLY DEFERRED);
        GRANT SELECT, INSERT ON scratch TO parley_tenant;
    """)
    await owner.close()
    for _ in range(20):  # more than the pool has
        with pytest.raises(asyncpg.UniqueViolationError):
            async with DB.tenant(tenants.acme.tenant_id):
                await DB.execute("INSERT INTO scratch VALUES (1), (1)")
    assert await pool_is_whole(db)
    async with DB.tenant(tenants.acme.tenant_id):
        assert await DB.fetch(Row, "SELECT * FROM scratch") == []


async def test_an_exhausted_pool_is_a_timeout(database: Database, tenants: Tenants) -> None:
    await DB.open(database.url("parley_app"), size=2, acquire_timeout=0.2)
    release = asyncio.Event()

    async def hold() -> None:
        async with DB.tenant(tenants.acme.tenant_id):
            await DB.execute("SELECT 1")
            await release.wait()

    holders = [asyncio.create_task(hold()) for _ in range(2)]
    await asyncio.sleep(0.1)
    with pytest.raises(TimeoutError):
        await _read(tenants.globex)
    release.set()
    await asyncio.gather(*holders)
    assert await _read(tenants.globex) == 2
    assert await pool_is_whole(database)


async def test_a_statement_that_takes_too_long(database: Database, tenants: Tenants) -> None:
    await DB.open(database.url("parley_app"), size=1, statement_timeout=0.5)
    with pytest.raises(asyncpg.QueryCanceledError):
        async with DB.tenant(tenants.acme.tenant_id):
            await DB.execute("SELECT pg_sleep(60)")
    assert await _read(tenants.acme) == 2
    assert await pool_is_whole(database)


async def test_a_scope_that_dawdles_loses_its_connection(
    database: Database, tenants: Tenants
) -> None:
    await DB.open(database.url("parley_app"), size=1, statement_timeout=0.5)
    with pytest.raises((asyncpg.IdleInTransactionSessionTimeoutError, *LOST_CONNECTION)):
        async with DB.tenant(tenants.acme.tenant_id):
            await DB.execute("SELECT 1")
            await asyncio.sleep(1)
    assert await _read(tenants.acme) == 2
    assert await pool_is_whole(database)


async def test_closing_takes_the_connection_of_a_scope_that_does_not_end(
    database: Database, tenants: Tenants
) -> None:
    await DB.open(database.url("parley_app"), size=2)
    began = time.monotonic()
    with pytest.raises(LOST_CONNECTION):
        async with DB.tenant(tenants.acme.tenant_id):
            await DB.execute("UPDATE messages SET content = 'lost'")
            await DB.close(timeout=0.2)
    assert time.monotonic() - began < 2


async def test_closing_waits_for_a_scope_that_ends(database: Database, tenants: Tenants) -> None:
    await DB.open(database.url("parley_app"), size=2)

    async def write() -> None:
        async with DB.tenant(tenants.acme.tenant_id):
            await DB.execute("UPDATE messages SET content = 'kept', version = version + 10")
            await DB.execute("SELECT pg_sleep(0.3)")

    task = asyncio.create_task(write())
    await asyncio.sleep(0.1)
    await DB.close(timeout=5)
    await task
    owner = await database.connect()
    assert await owner.fetchval("SELECT count(*) FROM messages WHERE content = 'kept'") == 2
    await owner.close()


async def test_a_server_that_is_not_there(database: Database) -> None:
    with pytest.raises(ConnectionError):
        await DB.open("postgresql://parley_app@127.0.0.1:1/parley", acquire_timeout=1)
    assert DB.pool is None

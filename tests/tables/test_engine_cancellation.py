"""Clients hang up at any moment. No connection may stay behind, and no COMMIT be half done."""

import asyncio
import random
from collections import Counter

import asyncpg
import pytest

from tables.engine import DB, Row
from tests.conftest import Database
from tests.tables.conftest import Tenants
from tests.tables.world import Workspace, pool_is_whole

STEPS = ("not begun", "first", "second", "commit")
PAIR = "INSERT INTO audit_events (tenant_id, action, request_id) VALUES ($1, 'test', $2)"


@pytest.fixture
async def slow_commit(db: Database) -> Database:
    """COMMIT takes 0.2 s after an INSERT into `scratch`."""
    connection = await db.connect()
    await connection.execute("""
        CREATE TABLE scratch (n int);
        GRANT SELECT, INSERT ON scratch TO parley_tenant;
        CREATE FUNCTION linger() RETURNS trigger LANGUAGE plpgsql AS
            'BEGIN PERFORM pg_sleep(0.2); RETURN NULL; END';
        CREATE CONSTRAINT TRIGGER lingers AFTER INSERT ON scratch
            DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION linger();
    """)
    await connection.close()
    return db


async def _turns(number: int) -> None:
    for _ in range(number):
        await asyncio.sleep(0)


class Request:
    """Writes two rows, or reads twice, and remembers how far it came."""

    def __init__(self, number: int, workspace: Workspace) -> None:
        self.number = number
        self.workspace = workspace
        self.at = STEPS[0]

    async def run(self) -> None:
        read_only = self.number % 3 == 0
        async with DB.tenant(self.workspace.tenant_id, read_only=read_only):
            for self.at in ("first", "second"):
                if read_only:
                    await DB.fetch(Row, "SELECT * FROM messages")
                else:
                    await DB.execute(PAIR, self.workspace.tenant_id, str(self.number))
            self.at = "commit"
        self.at = "done"

    async def interrupted(self, step: str, turns: int) -> str:
        """Cancels it so many turns of the loop after a step has begun."""
        task = asyncio.create_task(self.run())
        while self.at != step and not task.done():
            await asyncio.sleep(0)
        await _turns(turns)
        in_time = task.cancel()
        at = self.at
        await asyncio.wait([task])
        assert task.cancelled() == in_time  # nobody swallowed it
        return at


async def test_a_thousand_requests_cancelled_at_random_points(
    db: Database, tenants: Tenants
) -> None:
    chance = random.Random(1)
    slots = asyncio.Semaphore(20)  # more than the pool has: some are cancelled waiting for it

    async def interrupt(number: int) -> str:
        async with slots:
            request = Request(number, chance.choice([tenants.acme, tenants.globex]))
            return await request.interrupted(chance.choice(STEPS), chance.randrange(15))

    places = Counter(await asyncio.gather(*(interrupt(number) for number in range(1000))))
    assert min(places[step] for step in STEPS[1:]) > 20, places
    assert await pool_is_whole(db)
    owner = await db.connect()
    halves = await owner.fetch(
        "SELECT request_id FROM audit_events WHERE action = 'test'"
        " GROUP BY request_id HAVING count(*) <> 2"
    )
    await owner.close()
    assert halves == []
    await asyncio.gather(*(Request(-1, tenants.acme).run() for _ in range(20)))


async def test_cancelled_while_waiting_for_a_connection(
    database: Database, tenants: Tenants
) -> None:
    await DB.open(database.url("parley_app"), size=1)
    release = asyncio.Event()
    holder = asyncio.create_task(_hold(tenants.acme, release))
    waiting = [asyncio.create_task(Request(n, tenants.globex).run()) for n in range(5)]
    await asyncio.sleep(0.05)
    for task in waiting:
        task.cancel()
    await asyncio.wait(waiting)
    assert all(task.cancelled() for task in waiting)
    release.set()
    await holder
    assert await pool_is_whole(database)
    await Request(1, tenants.globex).run()


async def _hold(workspace: Workspace, release: asyncio.Event) -> None:
    async with DB.tenant(workspace.tenant_id, read_only=True):
        await DB.execute("SELECT 1")
        await release.wait()


async def test_cancelled_at_the_moment_it_gets_a_connection(
    database: Database, tenants: Tenants
) -> None:
    await DB.open(database.url("parley_app"), size=1)
    places: Counter[str] = Counter()
    for turns in range(60):
        release = asyncio.Event()
        holder = asyncio.create_task(_hold(tenants.acme, release))
        await asyncio.sleep(0.005)
        request = Request(turns, tenants.globex)
        waiting = asyncio.create_task(request.run())
        await asyncio.sleep(0)
        release.set()
        await _turns(turns)
        in_time = waiting.cancel()
        await asyncio.wait([waiting, holder])
        assert waiting.cancelled() == in_time  # nobody swallowed it
        places[request.at] += 1
    assert places["first"] > 5, places  # how often is for PostgreSQL's speed to say
    assert await pool_is_whole(database)


async def test_a_query_in_flight_is_cancelled_in_the_server(db: Database, tenants: Tenants) -> None:
    async def sleep() -> None:
        async with DB.tenant(tenants.acme.tenant_id):
            await DB.execute("SELECT pg_sleep(60)")

    task = asyncio.create_task(sleep())
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await pool_is_whole(db)


async def _write(workspace: Workspace, committing: asyncio.Event) -> None:
    async with DB.tenant(workspace.tenant_id):
        await DB.execute("INSERT INTO scratch VALUES (1)")
        committing.set()  # nothing is awaited between here and COMMIT


@pytest.mark.parametrize("cancellations", [1, 2, 3])
async def test_cancelled_during_commit_it_commits(
    slow_commit: Database, tenants: Tenants, cancellations: int
) -> None:
    committing = asyncio.Event()
    task = asyncio.create_task(_write(tenants.acme, committing))
    await committing.wait()
    for _ in range(cancellations):
        task.cancel()
        await asyncio.sleep(0.02)
    assert task.done() == (cancellations > 1)  # one still waits, so that what follows sees it
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await pool_is_whole(slow_commit)
    async with DB.tenant(tenants.acme.tenant_id):
        assert len(await DB.fetch(Row, "SELECT * FROM scratch")) == 1


async def test_a_cancelled_sibling_takes_the_transaction_with_it(
    db: Database, tenants: Tenants
) -> None:
    with pytest.raises(asyncpg.InFailedSQLTransactionError):
        async with DB.tenant(tenants.acme.tenant_id):
            await DB.execute(PAIR, tenants.acme.tenant_id, "lost")
            sibling = asyncio.create_task(DB.execute("SELECT pg_sleep(60)"))
            await asyncio.sleep(0.1)
            sibling.cancel()
    async with DB.tenant(tenants.acme.tenant_id):
        assert await DB.fetch(Row, "SELECT 1 FROM audit_events WHERE request_id = 'lost'") == []
    assert await pool_is_whole(db)

"""What was changed is told once it is committed, and only then."""

import asyncio
from collections.abc import Collection, Iterator

import asyncpg
import pytest

from tables.engine import DB, NoScope, Row
from tests.conftest import Database
from tests.tables.conftest import Tenants

RENAME = "UPDATE conversations SET title = 'New' WHERE tenant_id = $1"


@pytest.fixture
def told() -> Iterator[list[Collection[str]]]:
    said: list[Collection[str]] = []
    DB.on_commit = said.append
    yield said
    DB.on_commit = None


async def test_after_the_commit(
    db: Database, tenants: Tenants, told: list[Collection[str]]
) -> None:
    other = await db.connect()
    committed = "SELECT DISTINCT title FROM conversations WHERE tenant_id = $1"
    async with DB.tenant(tenants.acme.tenant_id):
        await DB.execute(RENAME, tenants.acme.tenant_id)
        DB.note_change("a")
        DB.note_change("b")
        DB.note_change("a")
        assert told == []
    titles = await other.fetch(committed, tenants.acme.tenant_id)
    assert (told, [row[0] for row in titles]) == ([{"a", "b"}], ["New"])
    async with DB.tenant(tenants.acme.tenant_id):
        await DB.execute(RENAME, tenants.acme.tenant_id)
    assert len(told) == 1
    await other.close()


async def test_nothing_that_was_taken_back(
    db: Database, tenants: Tenants, told: list[Collection[str]]
) -> None:
    with pytest.raises(ZeroDivisionError):
        async with DB.tenant(tenants.acme.tenant_id):
            await DB.execute(RENAME, tenants.acme.tenant_id)
            DB.note_change("a")
            raise ZeroDivisionError
    with pytest.raises(asyncpg.InFailedSQLTransactionError):
        async with DB.tenant(tenants.acme.tenant_id):
            DB.note_change("a")
            with pytest.raises(asyncpg.DivisionByZeroError):
                await DB.execute("SELECT 1 / 0")
    with pytest.raises(NoScope):
        DB.note_change("a")
    while DB._ending:
        await asyncio.wait(DB._ending)
    assert told == []


async def test_also_when_nobody_waits_for_the_commit(
    db: Database, tenants: Tenants, told: list[Collection[str]]
) -> None:
    """Whenever the client hangs up: it is told exactly when it is committed."""
    admin, committed = await db.connect(), 0
    for steps in range(40):
        await admin.execute("UPDATE conversations SET title = 'Old'")
        told.clear()

        async def write() -> None:
            async with DB.tenant(tenants.acme.tenant_id):
                await DB.execute(RENAME, tenants.acme.tenant_id)
                DB.note_change("a")

        task = asyncio.create_task(write())
        await asyncio.sleep(steps / 5000)
        task.cancel()
        await asyncio.wait([task])
        while DB._ending:
            await asyncio.wait(DB._ending)
        renamed = await admin.fetchval("SELECT count(*) FROM conversations WHERE title = 'New'")
        assert told == ([{"a"}] if renamed else [])
        committed += bool(renamed)
    assert committed
    await admin.close()


async def test_what_cannot_be_told_is_committed_all_the_same(
    db: Database, tenants: Tenants, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: Collection[str]) -> None:
        raise ZeroDivisionError

    DB.on_commit = fail
    try:
        async with DB.tenant(tenants.acme.tenant_id):
            await DB.execute(RENAME, tenants.acme.tenant_id)
            DB.note_change("a")
    finally:
        DB.on_commit = None
    assert "cannot tell what was changed" in caplog.text
    async with DB.tenant(tenants.acme.tenant_id):
        assert await DB.fetch(Row, "SELECT FROM conversations WHERE title = 'New'")

"""When a session was last used is known, and costs no write for each request."""

import asyncio
import signal
from datetime import UTC, datetime

import asyncpg
import pytest

from tests.conftest import Database
from tests.graph import START, Cast, Client, Person
from tests.server.pair import WHO, until
from tests.server.processes import processes
from tests.valkey import ValkeyServer, valkey

__all__ = ["valkey"]

REQUESTS = 200
FEW = 4
TOGETHER = 20


async def somebody(cast: Cast) -> Person:
    person = await cast.person("ada")
    await cast.connection.execute("UPDATE sessions SET last_activity_at = $1", START)
    return person


async def last_used(cast: Cast) -> datetime:
    at: datetime = await cast.connection.fetchval("SELECT last_activity_at FROM sessions")
    return at


async def use(client: Client) -> tuple[datetime, datetime]:
    """Not before, and not after."""
    began = datetime.now(UTC)
    assert await client.codes(WHO) == []
    return began, datetime.now(UTC)


async def written(admin: "asyncpg.Connection[asyncpg.Record]") -> int:
    """How often a session was, once nobody is connected who may have something to tell."""
    await until(
        lambda: admin.fetchval(
            "SELECT count(*) = 0 FROM pg_stat_activity WHERE usename = 'parley_app'"
            " AND datname = current_database()"
        )
    )
    count: int = await admin.fetchval(
        "SELECT n_tup_upd FROM pg_stat_all_tables WHERE relname = 'sessions'"
    )
    return count


async def test_used_often_and_written_rarely(cast: Cast, database: Database) -> None:
    person = await somebody(cast)
    admin = await database.connect("postgres")
    before = await written(admin)
    async with processes(database) as servers:
        began = datetime.now(UTC)
        for _ in range(REQUESTS // TOGETHER):
            clients = [server.signed_in(person) for server in servers] * (TOGETHER // 2)
            await asyncio.gather(*(use(client) for client in clients))

        async def is_known() -> bool:
            return await last_used(cast) >= began

        await until(is_known)
        await asyncio.gather(*(server.stop() for server in servers))
    assert 1 <= await written(admin) - before <= FEW
    await admin.close()


@pytest.mark.parametrize("is_shared", [False, True], ids=["memory", "valkey"])
async def test_stopped_before_it_was_written(
    cast: Cast, database: Database, valkey: ValkeyServer, *, is_shared: bool
) -> None:
    """And who stops later, but was used before, does not undo it."""
    person = await somebody(cast)
    async with processes(database, valkey_url=valkey.url if is_shared else "") as (first, last):
        await use(first.signed_in(person))
        began, ended = await use(last.signed_in(person))
        await last.stop(signal.SIGTERM)
        used = await last_used(cast)
        assert began <= used <= ended
        await first.stop(signal.SIGTERM)
        assert await last_used(cast) == used

"""Nobody puts an entry back that is no longer true, and none is believed that may not be."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.graph import Client, Person
from tests.server.pair import (
    A_WHILE,
    ACCEPTED,
    PROMISED,
    REVOKE,
    UNAUTHENTICATED,
    WHO,
    Answer,
    Pair,
    answers,
    at_the_same_time,
    pair,
    servers,
    stays,
    until,
)

__all__ = ["pair", "servers"]

pytestmark = pytest.mark.asyncio(loop_scope="module")

LOAD = 6
"""Clients of each process: less than it has connections, for who reads the notes needs one."""


async def somebody(pair: Pair) -> Person:
    tenant, _ = await pair.tenant()
    return await pair.member(tenant)


async def revoke(pair: Pair, person: Person) -> float:
    """When."""
    await pair.cast.connection.execute(REVOKE, person.id)
    return time.monotonic()


async def test_revoked_under_load(pair: Pair) -> None:
    person = await somebody(pair)
    accepted: list[float] = []

    async def ask(client: Client) -> None:
        while True:
            asked_at = time.monotonic()
            if await client.codes(WHO) == ACCEPTED:
                accepted.append(asked_at)

    async with at_the_same_time(*map(ask, LOAD * pair.both(person))):
        await asyncio.sleep(A_WHILE)
        revoked_at = await revoke(pair, person)
        await asyncio.sleep(PROMISED + A_WHILE)
    assert len(accepted) > LOAD
    assert max(accepted) < revoked_at + PROMISED


@pytest.mark.parametrize("lasts", [A_WHILE, PROMISED + A_WHILE])
async def test_revoked_while_many_read(pair: Pair, lasts: float) -> None:
    """Readers that are held up have seen the session before it was revoked, and come back when all
    have forgotten it already."""
    person = await somebody(pair)
    clients = pair.both(person)
    async with reading(pair, LOAD * clients) as readers:
        revoked_at = await revoke(pair, person)
        await asyncio.sleep(lasts)
    assert await asyncio.gather(*readers) == [ACCEPTED] * len(readers), "they began before"
    await asyncio.sleep(revoked_at + PROMISED - time.monotonic())
    await asyncio.gather(*(stays(client, UNAUTHENTICATED) for client in clients))


@asynccontextmanager
async def reading(pair: Pair, clients: list[Client]) -> AsyncIterator["list[asyncio.Task[Answer]]"]:
    """Requests that have begun to read, and do not go on while the block lasts."""
    lock = await pair.database.connect()
    async with lock.transaction():
        await lock.execute("LOCK TABLE tenants IN ACCESS EXCLUSIVE MODE")
        requests = [asyncio.create_task(client.codes(WHO)) for client in clients]
        backends = await waiting_backends(pair, len(clients))
        signal_all(backends, signal.SIGSTOP)
    # Without a transaction that writes, which would make notes last longer.
    await lock.close()
    try:
        yield requests
    finally:
        signal_all(backends, signal.SIGCONT)


async def waiting_backends(pair: Pair, number: int) -> list[int]:
    async def waiting() -> list[int]:
        rows = await pair.admin.fetch(
            "SELECT pid FROM pg_stat_activity WHERE usename = 'parley_app'"
            " AND datname = current_database() AND wait_event_type = 'Lock'"
        )
        return [row["pid"] for row in rows]

    async def are_all() -> bool:
        return len(await waiting()) == number

    await until(are_all)
    return await waiting()


def signal_all(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        os.kill(pid, number)


async def test_nothing_is_believed_that_cannot_be_revoked(pair: Pair) -> None:
    person, gone = await somebody(pair), await somebody(pair)
    for each in (person, gone):
        await pair.cache(each, pair.both(each))
    await pair.admin.execute("REVOKE SELECT ON cache_invalidations FROM parley_auth")
    try:
        await asyncio.sleep(PROMISED)
        for client in pair.both(person):
            assert not await pair.is_cached(person, [client])
        await revoke(pair, gone)
        assert await answers(pair.both(gone)) == [UNAUTHENTICATED] * 2, "at once"
    finally:
        await pair.admin.execute("GRANT SELECT ON cache_invalidations TO parley_auth")
    await pair.cache(person, pair.both(person))
    await asyncio.gather(*(stays(client, UNAUTHENTICATED) for client in pair.both(gone)))

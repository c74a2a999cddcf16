"""Nobody puts an entry back that is no longer true, and none is believed that may not be."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from schema.node import global_id
from tests.graph import Client, Person
from tests.schema.workspace import MISSING
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
"""Clients of each process that ask all the time."""

CHANGES = 50
CHANGE = "UPDATE sessions SET expires_at = expires_at - interval '1 s' WHERE user_id = $1"


async def somebody(pair: Pair) -> Person:
    tenant, _ = await pair.tenant()
    return await pair.member(tenant)


async def revoke(pair: Pair, person: Person) -> float:
    """When."""
    await pair.cast.connection.execute(REVOKE, person.id)
    return time.monotonic()


async def test_revoked_under_load(pair: Pair) -> None:
    """All the time somebody fills the caches with what was true a moment ago."""
    person = await somebody(pair)
    accepted: list[float] = []

    async def ask(client: Client) -> None:
        while True:
            asked_at = time.monotonic()
            if await client.codes(WHO) == ACCEPTED:
                accepted.append(asked_at)

    async def forget(client: Client) -> None:
        """What was changed just now. They end no session: there is none."""
        while True:
            await client.refused("revokeSession", id=global_id("Session", MISSING))

    forgetting = map(forget, pair.both(await somebody(pair)))
    asking = map(ask, LOAD * pair.both(person))
    async with at_the_same_time(*forgetting, *asking):
        for _ in range(CHANGES):
            await pair.cast.connection.execute(CHANGE, person.id)
            await asyncio.sleep(0.01)
        revoked_at = await revoke(pair, person)
        await asyncio.sleep(PROMISED + A_WHILE)
    assert len(accepted) > LOAD
    assert max(accepted) < revoked_at + PROMISED


@pytest.mark.parametrize("lasts", [A_WHILE, PROMISED + A_WHILE])
async def test_revoked_while_somebody_reads(pair: Pair, lasts: float) -> None:
    """A reader that is held up has seen the session before it was revoked, and comes back when all
    have forgotten it already."""
    person = await somebody(pair)
    at_a, at_b = pair.both(person)
    async with reading(pair, at_a) as reader:
        revoked_at = await revoke(pair, person)
        await asyncio.sleep(lasts)
    assert await reader == ACCEPTED, "it began before"
    await asyncio.sleep(revoked_at + PROMISED - time.monotonic())
    await asyncio.gather(*(stays(client, UNAUTHENTICATED) for client in (at_a, at_b)))


@asynccontextmanager
async def reading(pair: Pair, client: Client) -> AsyncIterator["asyncio.Task[Answer]"]:
    """A request that has begun to read, and does not go on while the block lasts."""
    lock = await pair.database.connect()
    async with lock.transaction():
        await lock.execute("LOCK TABLE tenants IN ACCESS EXCLUSIVE MODE")
        request = asyncio.create_task(client.codes(WHO))
        backend = await waiting_backend(pair)
        os.kill(backend, signal.SIGSTOP)
    # Without a transaction that writes, which would make notes last longer.
    await lock.close()
    try:
        yield request
    finally:
        os.kill(backend, signal.SIGCONT)


async def waiting_backend(pair: Pair) -> int:
    waiting = (
        "SELECT pid FROM pg_stat_activity WHERE usename = 'parley_app'"
        " AND datname = current_database() AND wait_event_type = 'Lock'"
    )
    await until(lambda: pair.admin.fetchval(waiting))
    pid: int = await pair.admin.fetchval(waiting)
    return pid


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

"""Valkey dies, hangs, refuses, and comes back with what it held: requests are answered, and nobody
is believed who was revoked in the meantime."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from valkey.asyncio import Valkey as ValkeyClient

from tests.conftest import Database
from tests.graph import START, Cast, Client, Person
from tests.server.pair import (
    A_WHILE,
    ACCEPTED,
    PROMISED,
    REVOKE,
    UNAUTHENTICATED,
    WHO,
    Pair,
    answers,
    at_the_same_time,
    paired,
    slowest,
    stays,
    until,
)
from tests.server.processes import processes
from tests.valkey import ValkeyServer, valkey

__all__ = ["valkey"]

QUERY = "{ viewer { user { username } } tenant { slug } }"
CACHE_SECONDS = 60
WARM = 10


@pytest.fixture
async def pair(postgres: Path, valkey: ValkeyServer) -> AsyncIterator[Pair]:
    async with paired(postgres, valkey) as pair:
        yield pair


@pytest.fixture
async def inside(valkey: ValkeyServer) -> AsyncIterator[ValkeyClient]:
    async with ValkeyClient.from_url(valkey.url) as client:
        yield client


async def keys(inside: ValkeyClient, kind: str = "*") -> set[str]:
    return {key.decode() for key in await inside.keys(f"{kind}*")}


async def kinds(inside: ValkeyClient) -> set[str]:
    return {key.partition(":")[0] for key in await keys(inside)}


async def test_it_dies_under_load(pair: Pair, valkey: ValkeyServer, inside: ValkeyClient) -> None:
    tenant, slug = await pair.tenant()
    people, gone = [await pair.member(tenant) for _ in range(4)], await pair.member(tenant)
    await pair.cache(gone, pair.both(gone))
    expected = [
        {"viewer": {"user": {"username": person.username}}, "tenant": {"slug": slug}}
        for person in people
    ]
    answered: list[tuple[int, Any]] = []

    async def ask(client: Client, data: Any) -> None:
        while True:
            answer = await client.post(QUERY)
            answered.append((answer.status_code, answer.json() == {"data": data} or answer.json()))

    async def is_used() -> bool:
        return {"sess", "user", "member"} <= await kinds(inside)

    async with at_the_same_time(
        *(
            ask(client, data)
            for person, data in zip(people, expected, strict=True)
            for client in pair.both(person)
        )
    ):
        await asyncio.sleep(A_WHILE)
        valkey.stop()
        before = len(answered)
        began = time.monotonic()
        await pair.cast.connection.execute(REVOKE, gone.id)
        assert await slowest(pair.both(gone), UNAUTHENTICATED, since=began) < PROMISED
        during = len(answered)
        valkey.start()
        await until(is_used)
    assert len(answered) > during > before + len(people)
    assert set(map(repr, answered)) == {repr((httpx.codes.OK.value, True))}
    assert await kinds(inside) == {"sess", "user", "member", "cache", "rate"}


async def test_it_hangs_and_goes_on(pair: Pair, valkey: ValkeyServer) -> None:
    tenant, _ = await pair.tenant()
    gone, other = await pair.member(tenant), await pair.member(tenant)
    await pair.cache(gone, pair.both(gone))
    valkey.pause()
    began = time.monotonic()
    await pair.cast.connection.execute(REVOKE, gone.id)
    assert await slowest(pair.both(gone), UNAUTHENTICATED, since=began) < PROMISED
    assert await answers(pair.both(other)) == [ACCEPTED] * 2
    await asyncio.sleep(began + PROMISED - time.monotonic())
    valkey.resume()
    await asyncio.gather(
        *(stays(client, UNAUTHENTICATED, seconds=PROMISED) for client in pair.both(gone))
    )
    await pair.cache(other, pair.both(other))


async def test_it_forgets_nothing(pair: Pair, inside: ValkeyClient) -> None:
    """It serves what it holds, and refuses to delete it."""
    tenant, _ = await pair.tenant()
    gone, other = await pair.member(tenant), await pair.member(tenant)
    for person in (gone, other):
        await pair.cache(person, pair.both(person))
    await inside.acl_setuser("default", enabled=True, commands=["-del"])
    began = time.monotonic()
    await pair.cast.connection.execute(REVOKE, gone.id)
    assert await slowest(pair.both(gone), UNAUTHENTICATED, since=began) < PROMISED
    assert await inside.exists(f"sess:{gone.session_id}")
    assert not await pair.is_cached(other, pair.both(other))
    await inside.acl_setuser("default", enabled=True, commands=["+del"])
    await pair.cache(other, pair.both(other))
    await asyncio.gather(*(stays(client, UNAUTHENTICATED) for client in pair.both(gone)))
    assert not await inside.exists(f"sess:{gone.session_id}")


async def used_lately(cast: Cast, number: int) -> list[Person]:
    """The latest comes last."""
    tenant = await cast.tenant("acme")
    people = []
    for n in range(number):
        person = await cast.person(f"person-{n}", tenant)
        await cast.member(tenant, person.id)
        await cast.connection.execute(
            "UPDATE sessions SET last_activity_at = $2 WHERE id = $1",
            person.session_id,
            START + timedelta(hours=n),
        )
        people.append(person)
    return people


async def test_warm_from_the_start(
    cast: Cast, database: Database, valkey: ValkeyServer, inside: ValkeyClient
) -> None:
    people = await used_lately(cast, WARM + 4)
    await cast.connection.execute(REVOKE, people[-1].id)
    await cast.connection.execute("UPDATE users SET is_active = false WHERE id = $1", people[-2].id)
    latest = people[-2 - WARM : -2]
    settings = {"cache_warm_up": WARM, "cache_seconds": CACHE_SECONDS}
    async with processes(database, 1, valkey_url=valkey.url, **settings) as (server,):
        assert await keys(inside, "sess") == {f"sess:{each.session_id}" for each in latest}
        assert await keys(inside, "user") == {f"user:{each.id}" for each in latest}
        assert len(await keys(inside, "member")) == WARM
        assert await server.signed_in(people[0], "acme").codes(WHO) == ACCEPTED
        entries = await keys(inside, "[sum]*")
        assert len(entries) == 3 * (WARM + 1)
        lasts = [await inside.ttl(key) for key in entries]
        assert 0 < min(lasts) <= max(lasts) <= CACHE_SECONDS


async def test_no_cache_at_all(
    cast: Cast, database: Database, valkey: ValkeyServer, inside: ValkeyClient
) -> None:
    (person,) = await used_lately(cast, 1)
    settings = {"cache_warm_up": WARM, "cache_seconds": 0}
    async with processes(database, 1, valkey_url=valkey.url, **settings) as (server,):
        clients = [server.signed_in(person, tenant) for tenant in ("acme", None)]
        for _ in range(3):
            assert await answers(clients) == [ACCEPTED] * 2
        assert await kinds(inside) == {"rate"}
        await cast.connection.execute(REVOKE, person.id)
        assert await answers(clients) == [UNAUTHENTICATED] * 2

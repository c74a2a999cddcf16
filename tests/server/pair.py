"""Two processes on one database, with people who were seen by both."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Iterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest
import pytest_asyncio

from tests.conftest import Database, cloned
from tests.graph import Cast, Client, Person
from tests.server.processes import Server, processes
from tests.valkey import ValkeyServer

WHO = "{ viewer { __typename } }"
"""Reads nothing but who asks."""

PROMISED = 2.0
"""Seconds until a change counts everywhere."""

OFTEN = 0.05
A_WHILE = 0.7  # an entry that came back would be forgotten, and seen, by then
PATIENCE = 20.0

Answer = list[str]
ACCEPTED: Answer = []
UNAUTHENTICATED, FORBIDDEN = ["UNAUTHENTICATED"], ["FORBIDDEN"]
REVOKE = "UPDATE sessions SET revoked_at = now() WHERE user_id = $1"

_numbers = count(1)


@dataclass(frozen=True)
class Pair:
    a: Server
    b: Server
    cast: Cast
    admin: "asyncpg.Connection[asyncpg.Record]"
    database: Database
    valkey: ValkeyServer | None

    async def tenant(self) -> tuple[UUID, str]:
        slug = f"lab-{next(_numbers)}"
        return await self.cast.tenant(slug), slug

    async def member(self, tenant: UUID, role: str = "MEMBER", **values: object) -> Person:
        person = await self.cast.person(f"person-{next(_numbers)}", tenant, **values)
        await self.cast.member(tenant, person.id, role)
        return person

    def both(self, person: Person) -> list[Client]:
        return [server.signed_in(person) for server in (self.a, self.b)]

    async def unnoticed(self, sql: str, *arguments: object) -> None:
        """No trigger tells caches of it."""
        async with self.admin.transaction():
            await self.admin.execute("SET LOCAL session_replication_role = replica")
            await self.admin.execute(sql, *arguments)

    async def cache(self, person: Person, clients: Iterable[Client], query: str = WHO) -> None:
        """Until all answer from the cache: what is no longer true does not matter to them."""
        clients = list(clients)
        await until(lambda: self.is_cached(person, clients, query))

    async def is_cached(self, person: Person, clients: list[Client], query: str = WHO) -> bool:
        assert await answers(clients, query) == [ACCEPTED] * len(clients)
        try:
            await self._hide(person, hidden=True)
            return await answers(clients, query) == [ACCEPTED] * len(clients)
        finally:
            await self._hide(person, hidden=False)

    async def _hide(self, person: Person, *, hidden: bool) -> None:
        revoked = "now()" if hidden else "NULL"
        for sql in (
            f"UPDATE sessions SET revoked_at = {revoked} WHERE user_id = $1",
            f"UPDATE users SET is_active = {not hidden} WHERE id = $1",
            f"UPDATE memberships SET is_active = {not hidden} WHERE user_id = $1",
        ):
            await self.unnoticed(sql, person.id)


async def until(is_so: Callable[[], Awaitable[object]]) -> None:
    ends = time.monotonic() + PATIENCE
    while not await is_so():
        assert time.monotonic() < ends, "it is still not so"
        await asyncio.sleep(OFTEN)


async def answers(clients: Iterable[Client], query: str = WHO) -> list[Answer]:
    return await asyncio.gather(*(client.codes(query) for client in clients))


async def seconds_until(client: Client, wanted: Answer, query: str, since: float) -> float:
    """And it stays so for a while."""

    async def is_wanted() -> bool:
        return await client.codes(query) == wanted

    await until(is_wanted)
    took = time.monotonic() - since
    await stays(client, wanted, query)
    return took


async def stays(client: Client, wanted: Answer, query: str = WHO, seconds: float = A_WHILE) -> None:
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        assert await client.codes(query) == wanted
        await asyncio.sleep(OFTEN)


async def slowest(
    clients: Iterable[Client], wanted: Answer, query: str = WHO, *, since: float
) -> float:
    """Seconds until all answer so."""
    return max(
        await asyncio.gather(*(seconds_until(client, wanted, query, since) for client in clients))
    )


@asynccontextmanager
async def at_the_same_time(*work: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """As long as the block lasts. Raises what the work raises."""
    tasks = [asyncio.create_task(each) for each in work]
    try:
        yield
    finally:
        pending = set(tasks)
        while pending:  # once is not enough, where a library takes it for its own timeout
            for task in pending:
                task.cancel()
            _, pending = await asyncio.wait(pending, timeout=1)
    for task in tasks:
        if not task.cancelled():
            task.result()


@asynccontextmanager
async def paired(
    postgres: Path, valkey: ValkeyServer | None, **settings: object
) -> AsyncIterator[Pair]:
    if valkey:
        settings = {"valkey_url": valkey.url} | settings
    async with cloned(postgres) as database, processes(database, **settings) as (a, b):
        owner, admin = await database.connect(), await database.connect("postgres")
        try:
            yield Pair(a, b, Cast(owner), admin, database, valkey)
        finally:
            await owner.close()
            await admin.close()


@asynccontextmanager
async def either(kind: str, postgres: Path, **settings: object) -> AsyncIterator[Pair]:
    """Two that cache and count in "memory", or with a "valkey"."""
    with ExitStack() as stack:
        valkey = stack.enter_context(ValkeyServer()) if kind == "valkey" else None
        async with paired(postgres, valkey, **settings) as pair:
            yield pair


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["memory", "valkey"])
async def servers(request: pytest.FixtureRequest, postgres: Path) -> AsyncIterator[Pair]:
    async with either(request.param, postgres) as pair:
        yield pair


@pytest.fixture
def pair(servers: Pair) -> Iterator[Pair]:
    """For many tests, each with people of its own."""
    yield servers
    # To whom a test has failed for.
    print(f"--- A\n{servers.a.said()}\n--- B\n{servers.b.said()}")

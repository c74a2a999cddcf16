"""Twenty who write and a hundred who listen, while what they need goes away and comes back."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import asyncpg

from ops.postgres_cluster import Cluster
from tests.conftest import Database
from tests.server.processes import Server
from tests.torture.place import Place
from tests.torture.subscriber import AGAIN_SECONDS, Subscriber
from tests.torture.writer import Writer

PLACES = 5
PATIENT = 20
"""Of the subscribers, who stay where they are. Nothing that happens loses them the connection."""

LEAVE_SECONDS = 0.05
"""Between two of the others who go elsewhere."""

SHORT, LONG = 1.0, 3.0
PATIENCE = 60.0
"""Seconds until everybody has heard of everything, on a busy machine."""

Outage = tuple[Callable[[], None], Callable[[], None]]
"""How it begins and ends."""


@dataclass
class Storm:
    chance: random.Random
    database: Database
    cluster: Cluster
    servers: list[Server]
    outages: list[Outage]
    """Of the bus."""

    places: list[Place]
    writers: list[Writer]
    subscribers: list[Subscriber]

    async def blow(self, meanwhile: Awaitable[None]) -> None:
        """Everybody writes, and many of those who listen go elsewhere, until it is over."""
        calm = asyncio.Event()
        writing = asyncio.gather(
            self._scatter(calm), *(writer.write(calm) for writer in self.writers)
        )
        try:
            await meanwhile
            calm.set()
            async with asyncio.timeout(PATIENCE):
                await writing
        except TimeoutError:
            busy = [str(writer) for writer in self.writers if writer.doing]
            raise AssertionError("\n".join(["still writing:", *busy])) from None
        finally:
            writing.cancel()

    async def _scatter(self, until: asyncio.Event) -> None:
        while not until.is_set():
            self.chance.choice(self.subscribers[PATIENT:]).leave()
            await asyncio.sleep(LEAVE_SECONDS)

    async def lose_bus(self) -> None:
        """It is back when nobody writes any more."""
        for lose, restore in self.outages:
            await self.blow(asyncio.sleep(SHORT))
            lose()
            try:
                await self.blow(asyncio.sleep(self.chance.uniform(SHORT, LONG)))
                await asyncio.sleep(AGAIN_SECONDS)  # who comes would make all others look
                await self.have_last_word()
            finally:
                restore()
            await self.settle()

    async def lose_bus_for_long(self) -> None:
        """All have to find out by themselves."""
        lose, restore = self.outages[-1]
        lose()
        try:
            await self.blow(asyncio.sleep(SHORT))
            await self.settle()
        finally:
            restore()

    async def kill_process(self) -> None:
        """What it did not tell the others is told with what comes after."""

        async def kill() -> None:
            await asyncio.sleep(self.chance.uniform(0, LONG))
            await self.servers[0].kill_and_start()
            await asyncio.sleep(SHORT)

        await self.blow(kill())
        await self.have_last_word()
        await self.settle()

    async def restart_database(self) -> None:
        async def restart() -> None:
            mode = self.chance.choice(["fast", "immediate"])
            await asyncio.sleep(self.chance.uniform(0, LONG))
            await asyncio.to_thread(self.cluster._run, "pg_ctl", "-m", mode, "-w", "stop")
            await asyncio.sleep(self.chance.uniform(0, SHORT))
            await asyncio.to_thread(self.cluster.start)
            await asyncio.sleep(LONG)

        await self.blow(restart())
        await self.have_last_word()
        await self.settle()

    async def have_last_word(self) -> None:
        for writer in self.writers[:PLACES]:
            await writer.send()

    async def settle(self) -> None:
        """Until everybody has heard of everything, which they then must have as it happened."""
        connection = await asyncpg.connect(self.database.url("postgres"))
        try:
            for place in self.places:
                await self._settle(place, connection)
            await self._check_writers(connection)
        finally:
            await connection.close()

    async def _settle(self, place: Place, connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        here = [each for each in self.subscribers if each.place is place]
        history, truth = await place.history(connection), await place.states(connection)
        ends = time.monotonic() + PATIENCE
        while behind := [each for each in here if each.is_behind(history.version)]:
            tale = [f"at {history.version}, and not there:", *map(str, behind)]
            assert time.monotonic() < ends, "\n".join(tale)
            await asyncio.sleep(0.05)
        faults = [fault for each in here for fault in each.faults(history, truth)]
        assert not faults, "\n".join(faults)

    async def _check_writers(self, connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        """What was answered is there, once, and nothing else."""
        rows = await connection.fetch("SELECT content FROM messages")
        said = [content for writer in self.writers for content in writer.contents.values()]
        assert sorted(row["content"] for row in rows) == sorted(said)

"""Two processes' worth of subscriptions on one database, and who listens to them."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Collection
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from core.errors import RuleError
from core.time import now
from core.viewer import Caller, TenantRole, Viewer
from resolvers.message_change import MessageChange
from resolvers.services import Services
from tests.conftest import Database
from tests.graph import SETTINGS
from tests.schema.workspace import Workspace

CALLER = Caller("test")
SOON = 30.0
"""Seconds that a busy machine may take for what takes none."""


@asynccontextmanager
async def hub(database: Database, **settings: Any) -> AsyncIterator[Services]:
    """What a process has; the one that was opened last is told what is committed here."""
    chosen = {"database_url": database.url("parley_app"), "subscription_poll_seconds": 60}
    services = Services.of(SETTINGS.model_copy(update=chosen | settings))
    heard = asyncio.Event()
    bus = services.subscriptions.bus
    hear = bus._hear

    def hears(keys: Collection[str] | None) -> None:
        heard.set()  # first of all that it can
        hear(keys)

    bus._hear = hears
    await services.start()
    try:
        async with asyncio.timeout(SOON):
            await heard.wait()
        bus._hear = hear
        yield services
    finally:
        await services.stop()


@asynccontextmanager
async def hubs(database: Database, **settings: Any) -> AsyncIterator[tuple[Services, Services]]:
    """The first one hears of what is written from others only."""
    async with hub(database, **settings) as there, hub(database, **settings) as here:
        yield there, here


def viewer(workspace: Workspace, name: str, role: TenantRole | None = None) -> Viewer:
    person = workspace.cast.people[name]
    roles = {"ada": TenantRole.OWNER, "root": TenantRole.ADMIN}
    return Viewer(
        person.id, person.session_id, workspace.id, role or roles.get(name, TenantRole.MEMBER)
    )


def later(seconds: float = 300) -> datetime:
    return now() + timedelta(seconds=seconds)


@dataclass
class Ear:
    """Somebody who subscribed, and what they heard."""

    stream: AsyncGenerator[Any, None]
    heard: list[Any] = field(default_factory=list)
    error: RuleError | None = None
    task: asyncio.Task[None] | None = None
    pause: float = 0

    def listen(self) -> "Ear":
        self.task = asyncio.create_task(self._run())
        return self

    async def _run(self) -> None:
        try:
            async for one in self.stream:
                self.heard.append(one)
                await asyncio.sleep(self.pause)
        except RuleError as error:
            self.error = error
        finally:
            await self.stream.aclose()

    async def hears(self, count: int, seconds: float = SOON) -> list[Any]:
        """Waits for so many in all, and sees that there are not more."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while len(self.heard) < count and self.error is None:
                    await asyncio.sleep(0.01)
        assert self.error is None, self.error
        assert len(self.heard) == count
        return self.heard

    async def ends(self, seconds: float = SOON) -> str:
        """The code of the error that it ends with."""
        assert self.task
        async with asyncio.timeout(seconds):
            await self.task
        assert self.error
        return self.error.code

    async def close(self) -> None:
        if self.task:
            self.task.cancel()
            await asyncio.wait([self.task])


@dataclass
class Room:
    """A conversation, and the ears that are in it until the test ends."""

    workspace: Workspace
    id: UUID
    ears: list[Ear] = field(default_factory=list)

    async def ear(
        self, services: Services, name: str, after: str | None = None, **more: Any
    ) -> Ear:
        """One that hears whatever is written from now on."""
        ear = self.unready(services, name, after, **more)
        async with asyncio.timeout(SOON):
            while ear.error is None and self.workspace.user(name) not in self._joined(services):
                await asyncio.sleep(0.005)
        return ear

    def _joined(self, services: Services) -> set[UUID]:
        """Who is told of all that follows."""
        reader = services.subscriptions._readers.get(self.workspace.id)
        listeners = reader.messages.listeners(self.id) if reader else ()
        return {listener.identity.user_id for listener in listeners}

    def unready(
        self,
        services: Services,
        name: str,
        after: str | None = None,
        seconds: float = 300,
        pause: float = 0,
    ) -> Ear:
        stream = services.subscriptions.message_changes(
            viewer(self.workspace, name), later(seconds), self.id, after
        )
        ear = Ear(stream, pause=pause).listen()
        self.ears.append(ear)
        return ear


def told(changes: list[MessageChange]) -> list[tuple[str, UUID, int]]:
    return [(change.kind.value, change.message.id, change.version) for change in changes]

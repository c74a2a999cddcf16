"""What rules work with, besides the database. Made once for each process."""

import asyncio
import logging
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Self

from core.cache import open_cache
from core.credentials import AccessTokens
from core.passwords import Passwords
from core.rate_limit import RateLimits
from core.settings import Settings
from core.valkey import Valkey
from resolvers.activity import Activity
from resolvers.authentication import Authentication
from resolvers.invalidation import Invalidations
from resolvers.subscriptions import Subscriptions
from tables.engine import DB

log = logging.getLogger("parley.services")


@dataclass(frozen=True)
class Services:
    settings: Settings
    tokens: AccessTokens
    passwords: Passwords
    valkey: Valkey | None
    limits: RateLimits
    invalidations: Invalidations
    authentication: Authentication
    subscriptions: Subscriptions
    activity: Activity = field(default_factory=Activity)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Raises UnusableKey."""
        valkey = Valkey.of(settings)
        cache = open_cache(settings, valkey)
        invalidations = Invalidations(cache, settings.cache_seconds)
        return cls(
            settings=settings,
            tokens=AccessTokens.of(settings),
            passwords=Passwords.of(settings),
            valkey=valkey,
            limits=RateLimits(valkey),
            invalidations=invalidations,
            authentication=Authentication(cache, invalidations),
            subscriptions=Subscriptions(settings, valkey),
        )

    async def start(self) -> None:
        """The database must be open."""
        DB.on_commit = self.subscriptions.bus.publish
        self.invalidations.on_notes = self.subscriptions.suspect
        await self.invalidations.catch_up()
        await self.authentication.warm_up(self.settings.cache_warm_up)
        self._run(self.invalidations.run())
        self._run(self.activity.run())
        self._run(self.subscriptions.bus.run())

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        task.add_done_callback(_told)
        self._tasks.append(task)

    async def stop(self) -> None:
        self.subscriptions.stop()
        DB.on_commit = None
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        with suppress(Exception):  # the database may be gone: nobody is kept waiting for it
            await self.activity.flush()
        self.passwords.close()
        if self.valkey:
            await self.valkey.close()


def _told(task: asyncio.Task[None]) -> None:
    """Nobody waits for what runs as long as the process: a failure would be told at its end."""
    if not task.cancelled() and (error := task.exception()):
        log.critical("%s has ended", task.get_coro(), exc_info=error)

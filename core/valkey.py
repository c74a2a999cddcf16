"""The connections to Valkey that the cache and the rate limits share.

Parley works without Valkey. Who asks has an answer within TIMEOUT, or Away; after a failure nobody
asks for PAUSE, then one does.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Self, TypeVar

from valkey.asyncio import BlockingConnectionPool, SSLConnection
from valkey.asyncio import Valkey as Client
from valkey.exceptions import ResponseError, ValkeyError

from core.settings import Settings, address

log = logging.getLogger("parley.valkey")

TIMEOUT = 0.25
PAUSE = 1.0
CONNECTIONS = 32
QUIET = 60.0

# The last one is uvloop's, for writing to a connection that was reset.
UNREACHABLE = (ValkeyError, OSError, RuntimeError)

Answer = TypeVar("Answer")


class Away(Exception):
    """Valkey was not asked, or gave no answer: whether it did what it was told, nobody knows."""


class Valkey:
    def __init__(self, url: str) -> None:
        """Connects when it is first asked. Raises ValueError."""
        self.client = Client(connection_pool=_pool(url))
        self._address = address(url)
        self._away_until = 0.0  # 0: it is there
        self._quiet_until = 0.0

    @classmethod
    def of(cls, settings: Settings) -> Self | None:
        """Raises ValueError."""
        return cls(settings.valkey_url.get_secret_value()) if settings.valkey_url else None

    async def ask(self, question: Callable[[Client], Awaitable[Answer]]) -> Answer:
        """Raises Away."""
        trying = self._enter()
        try:
            async with asyncio.timeout(TIMEOUT):
                answer = await question(self.client)
        except ResponseError as error:
            self._refused(error, trying=trying)
            raise Away from error
        except UNREACHABLE as error:
            await self._lost(error)
            raise Away from error
        if trying:
            self._found()
        return answer

    async def close(self) -> None:
        """What is asked later connects again."""
        with suppress(*UNREACHABLE):
            await self.client.connection_pool.disconnect()

    def _enter(self) -> bool:
        """Whether the caller is the one that tries. Raises Away."""
        if not self._away_until:
            return False
        now = time.monotonic()
        if now < self._away_until:
            raise Away
        self._away_until = now + PAUSE  # for all others
        return True

    def _found(self) -> None:
        self._away_until = 0.0
        log.info("Valkey at %s is back", self._address)

    async def _lost(self, error: Exception) -> None:
        first = not self._away_until
        self._away_until = time.monotonic() + PAUSE
        if first:
            reason = str(error) or "no answer in time"
            log.warning("Valkey at %s is away, doing without it: %s", self._address, reason)
            with suppress(*UNREACHABLE):  # idle ones may be as dead, and would be found one by one
                await self.client.connection_pool.disconnect(inuse_connections=False)

    def _refused(self, error: ResponseError, *, trying: bool) -> None:
        """It is there, but out of memory, read-only, or not allowed to do this."""
        if trying:
            self._found()
        if time.monotonic() >= self._quiet_until:
            self._quiet_until = time.monotonic() + QUIET
            log.warning("Valkey at %s refuses, doing without it: %s", self._address, error)


def _pool(url: str) -> BlockingConnectionPool:
    """Of few connections: a burst that opens hundreds takes longer than one that queues."""
    try:
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=CONNECTIONS,
            timeout=None,
            socket_timeout=None,  # ask() has one for all, which needs no task for each write
            socket_connect_timeout=TIMEOUT,
            lib_name=None,  # a round trip for each new connection
            lib_version=None,
        )
        if pool.connection_class is SSLConnection:
            pool.connection_kwargs.setdefault("ssl_check_hostname", True)
        pool.connection_class(**pool.connection_kwargs)  # finds options that it does not know
    except (ValueError, TypeError, ValkeyError):
        # The message of theirs may show a password.
        raise ValueError("PARLEY_VALKEY_URL is not of the form valkey://host:6379/0") from None
    return pool

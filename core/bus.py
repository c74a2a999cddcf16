"""Tells other processes what has changed, so that they look. It may lose what it is told, and says
so when it may have: nothing but a quick answer depends on it.

Keys are short, of ASCII without spaces. Whoever can reach the bus can read them: ids only, nothing
of what they stand for.
"""

import asyncio
import logging
import secrets
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from typing import Any

import asyncpg

from core.settings import address
from core.valkey import UNREACHABLE, Away, Valkey

log = logging.getLogger("parley.bus")

CHANNEL = "parley"
PAYLOAD_BYTES = 7_900
"""PostgreSQL takes less than 8,000."""

PAUSE = 0.01
"""Seconds between two messages of a process: what comes meanwhile goes into the second."""

PING_SECONDS = 5.0
CONNECT_SECONDS = 5.0
AGAIN_SECONDS = 0.5
"""Until sending is tried again."""

BACK_OFF = (0.1, 5.0)
"""Seconds before the first attempt to connect again, and at the most."""

Hear = Callable[[Collection[str] | None], None]
"""Is told the keys; None when some may have been missed."""

LOST = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    Away,
    *UNREACHABLE,
)


class Bus(ABC):
    def __init__(self, hear: Hear) -> None:
        self._hear = hear
        self._sender = secrets.token_hex(8)
        self._waiting: set[str] = set()
        self._something = asyncio.Event()

    def publish(self, keys: Collection[str]) -> None:
        """Here at once, elsewhere soon. Never fails."""
        self._hear(keys)
        self._waiting.update(keys)
        self._something.set()

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._listen_for_ever())
            tasks.create_task(self._send_for_ever())

    async def _listen_for_ever(self) -> None:
        shortest, longest = BACK_OFF
        delay, told = shortest, False
        while True:
            since = time.monotonic()
            try:
                await self._listen()
            except LOST as error:
                if not told:
                    log.warning("%s, trying again: %s", self, str(error) or type(error).__name__)
                told = True
            if time.monotonic() > since + longest:
                delay, told = shortest, False
            await asyncio.sleep(delay)
            delay = min(2 * delay, longest)

    async def _send_for_ever(self) -> None:
        while True:
            await self._something.wait()
            self._something.clear()
            keys, self._waiting = self._waiting, set()
            try:
                for payload in payloads(self._sender, keys):
                    await self._send(payload)
                await asyncio.sleep(PAUSE)
            except LOST:
                await self._say_that_some_are_lost()

    async def _say_that_some_are_lost(self) -> None:
        """As soon as it can be said: keys that wait for that could become too many."""
        while True:
            await asyncio.sleep(AGAIN_SECONDS)
            self._waiting.clear()
            with suppress(*LOST):
                return await self._send(self._sender)

    def _received(self, payload: str) -> None:
        sender, *keys = payload.split(" ")
        if sender != self._sender:
            self._hear(keys or None)

    def _connected(self) -> None:
        """From now on it hears all; of what was said before, nobody knows."""
        self._hear(None)

    @abstractmethod
    async def _listen(self) -> None:
        """Connects, and ends when the connection does. Raises LOST."""

    @abstractmethod
    async def _send(self, payload: str) -> None:
        """Raises LOST."""


def payloads(sender: str, keys: Iterable[str]) -> Iterator[str]:
    """As few as hold the keys."""
    payload = sender
    for key in keys:
        if len(payload) + 1 + len(key) > PAYLOAD_BYTES:
            yield payload
            payload = sender
        payload += f" {key}"
    if payload != sender:
        yield payload


class PostgresBus(Bus):
    """LISTEN and NOTIFY, on one connection of its own: a pooler in transaction mode has no LISTEN.
    Never inside of a transaction that writes: NOTIFY would let only one commit at a time."""

    def __init__(self, hear: Hear, url: str) -> None:
        super().__init__(hear)
        self._url = url
        self._connection: asyncpg.Connection[asyncpg.Record] | None = None
        self._in_use = asyncio.Lock()

    def __str__(self) -> str:
        return f"no LISTEN at {address(self._url)}"

    async def _listen(self) -> None:
        connection = await asyncpg.connect(
            self._url,
            timeout=CONNECT_SECONDS,
            command_timeout=CONNECT_SECONDS,
            statement_cache_size=0,
            server_settings={"application_name": "parley bus"},
        )
        try:
            lost = asyncio.Event()
            connection.add_termination_listener(lambda _: lost.set())
            await connection.add_listener(CHANNEL, lambda *said: self._received(str(said[-1])))
            self._connection = connection
            self._connected()
            while not lost.is_set():
                with suppress(TimeoutError):
                    async with asyncio.timeout(PING_SECONDS):
                        await lost.wait()
                        return
                async with self._in_use:  # finds a server that vanished without a word
                    await connection.execute("SELECT 1")
        finally:
            self._connection = None
            connection.terminate()

    async def _send(self, payload: str) -> None:
        async with self._in_use:
            if self._connection is None:
                raise ConnectionError("not connected")
            await self._connection.execute("SELECT pg_notify($1, $2)", CHANNEL, payload)


class ValkeyBus(Bus):
    def __init__(self, hear: Hear, valkey: Valkey) -> None:
        super().__init__(hear)
        self._valkey = valkey

    def __str__(self) -> str:
        return "no subscription at Valkey"

    async def _listen(self) -> None:
        async with self._valkey.client.pubsub() as subscription:
            async with asyncio.timeout(CONNECT_SECONDS):
                await subscription.subscribe(CHANNEL)
            pinged = False
            while True:
                message: dict[str, Any] | None = await subscription.get_message(
                    timeout=PING_SECONDS
                )
                if message is None and pinged:
                    raise TimeoutError("no answer in time")
                pinged = message is None
                if message is None:
                    await subscription.ping()
                elif message["type"] == "subscribe":  # again, after a reconnection of the client's
                    self._connected()
                elif message["type"] == "message":
                    self._received(message["data"].decode(errors="replace"))

    async def _send(self, payload: str) -> None:
        await self._valkey.ask(lambda client: client.publish(CHANNEL, payload))

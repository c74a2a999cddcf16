"""Answers that were read once, by key, for a while. A cache may forget: nobody relies on it."""

import time
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Protocol
from uuid import uuid4

import orjson
from valkey.asyncio import Valkey as Client

from core.settings import Settings
from core.valkey import Away, Valkey


class Cache(Protocol):
    """Keeps JSON: what orjson turns into it (a UUID, a time) comes back as text."""

    is_shared: bool
    """Whether other processes put entries into it."""

    async def get(self, *keys: str) -> list[Any | None]:
        """In the keys' order, in one round trip. None: not cached."""
        ...

    async def set(self, entries: Mapping[str, Any]) -> None:
        """Keeps them for the cache's lifetime. Raises TypeError for what is no JSON."""
        ...

    async def delete(self, *keys: str) -> bool:
        """False: it may not have happened, or what was deleted before may be back. The caller
        repeats all of it."""
        ...


def open_cache(settings: Settings, valkey: Valkey | None) -> Cache:
    if valkey is None or not settings.cache_seconds:
        return MemoryCache(settings.cache_seconds)
    return ValkeyCache(valkey, settings.cache_seconds)


class MemoryCache:
    """Of this process alone. When it is full, what was not asked for the longest is forgotten.
    Entries are kept as bytes, so that nobody changes them for others."""

    is_shared = False

    def __init__(self, seconds: int, size: int = 10_000) -> None:
        """0 seconds: nothing is kept."""
        self._seconds = seconds
        self._size = size
        self._entries: OrderedDict[str, tuple[float, bytes]] = OrderedDict()

    async def get(self, *keys: str) -> list[Any | None]:
        now = time.monotonic()
        return [self._get(key, now) for key in keys]

    async def set(self, entries: Mapping[str, Any]) -> None:
        expires = time.monotonic() + self._seconds
        for key, value in _encoded(entries):
            self._entries[key] = (expires, value)
            self._entries.move_to_end(key)
        while len(self._entries) > self._size:
            self._entries.popitem(last=False)

    async def delete(self, *keys: str) -> bool:
        for key in keys:
            self._entries.pop(key, None)
        return True

    def _get(self, key: str, now: float) -> Any | None:
        expires, value = self._entries.get(key, (0.0, b""))
        if expires <= now:
            self._entries.pop(key, None)
            return None
        self._entries.move_to_end(key)
        return orjson.loads(value)


class ValkeyCache:
    """Of all processes. While Valkey is away, nothing is cached."""

    is_shared = True

    def __init__(self, valkey: Valkey, seconds: int) -> None:
        self._valkey = valkey
        self._seconds = seconds
        self._mark = f"cache:{uuid4()}"
        self._marked = 0

    async def get(self, *keys: str) -> list[Any | None]:
        try:
            values = await self._valkey.ask(lambda client: client.mget(keys))
        except Away:
            return [None] * len(keys)
        return [_decoded(value) for value in values]

    async def set(self, entries: Mapping[str, Any]) -> None:
        encoded = _encoded(entries)
        if encoded:
            try:
                await self._valkey.ask(lambda client: _set(client, encoded, self._seconds))
            except Away:
                return

    async def delete(self, *keys: str) -> bool:
        try:
            last = await self._valkey.ask(lambda client: self._deleted(client, keys))
        except Away:
            return False
        expected, self._marked = self._marked, self._marked + 1
        return expected == int(last or 0)

    async def _deleted(self, client: Client, keys: tuple[str, ...]) -> bytes | None:
        """Returns the mark that was left the time before. A Valkey that comes back with what it
        had saved has another one, and entries that were deleted since."""
        pipeline = client.pipeline(transaction=True)
        pipeline.set(self._mark, self._marked + 1, ex=self._seconds, get=True)
        if keys:
            pipeline.delete(*keys)
        last, *_ = await pipeline.execute()
        return last  # type: ignore[no-any-return]


async def _set(client: Client, entries: list[tuple[str, bytes]], seconds: int) -> None:
    pipeline = client.pipeline(transaction=False)
    for key, value in entries:
        pipeline.set(key, value, ex=seconds)
    # Theirs raises a message that shows the value.
    for answer in await pipeline.execute(raise_on_error=False):
        if isinstance(answer, Exception):
            raise answer


def _encoded(entries: Mapping[str, Any]) -> list[tuple[str, bytes]]:
    return [(key, orjson.dumps(value)) for key, value in entries.items()]


def _decoded(value: bytes | None) -> Any | None:
    try:
        return None if value is None else orjson.loads(value)
    except orjson.JSONDecodeError:
        return None

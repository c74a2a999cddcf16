"""How many attempts are left: sliding windows of the `limits` library, one for each limit and key.

Valkey counts for all processes. While it is away, each process counts by itself.
"""

import math
import re
import time
from contextlib import suppress
from functools import lru_cache
from hashlib import sha256
from ipaddress import IPv4Address, IPv6Network, ip_address
from typing import NamedTuple

from limits import RateLimitItem
from limits.aio.storage.redis.bridge import RedisBridge

from core.errors import RateLimited
from core.valkey import Away, Valkey

PLAIN = re.compile(r"[\w.:/@+-]{1,100}")
MOMENT = 0.01  # a slot is free just after its time, and Valkey counts in milliseconds
ROOM = 1000

# Both scripts of the library in one round trip, and nothing in between.
TAKE = f"""
local function acquire(KEYS, ARGV)
{RedisBridge.SCRIPT_ACQUIRE_SLIDING_WINDOW.decode()}
end
local function window(KEYS, ARGV)
{RedisBridge.SCRIPT_SLIDING_WINDOW.decode()}
end
local taken = acquire(KEYS, ARGV)
local counts = window(KEYS, {{ARGV[2]}})
return {{taken and 1 or 0, counts[1], counts[2], counts[3], counts[4]}}
"""


class Budget(NamedTuple):
    limit: int
    remaining: int
    reset_after: float
    """Seconds until the whole budget is there again, if nothing more is taken; when nothing is
    left, until something is."""


class Window(NamedTuple):
    """Attempts of the window before and of this one, and for how many seconds they count."""

    previous: int
    previous_left: float
    current: int
    current_left: float


class RateLimits:
    def __init__(self, valkey: Valkey | None) -> None:
        """No Valkey: this process counts by itself."""
        self._shared = Shared(valkey) if valkey else None
        self._memory = Memory()

    async def take(self, limit: RateLimitItem | None, name: str, *keys: str) -> Budget | None:
        """Counts one attempt, of whatever `keys` say. Refused ones do not count. None: no limit.
        Raises RateLimited."""
        if limit is None:
            return None
        key = _key(limit, name, keys)
        if self._shared:
            taken, window = await self._take_shared(self._shared, limit, key)
        else:
            taken, window = self._memory.take(limit, key)
        if not taken:
            raise RateLimited(_retry_after(limit, window), limit.amount)
        return _budget(limit, window)

    async def reset(self, limit: RateLimitItem | None, name: str, *keys: str) -> None:
        """As if nothing had been counted."""
        if limit is None:
            return
        key = _key(limit, name, keys)
        if self._shared:
            with suppress(Away):
                await self._shared.reset(key)
        self._memory.reset(key)

    async def _take_shared(
        self, shared: "Shared", limit: RateLimitItem, key: str
    ) -> tuple[bool, Window]:
        try:
            return await shared.take(limit, key)
        except Away:
            return self._memory.take(limit, key)


class Shared:
    """Counts in Valkey."""

    def __init__(self, valkey: Valkey) -> None:
        self._valkey = valkey
        self._script = valkey.client.register_script(TAKE)

    async def take(self, limit: RateLimitItem, key: str) -> tuple[bool, Window]:
        """Raises Away."""
        keys = _windows(key)
        arguments = [limit.amount, limit.get_expiry(), 1]
        taken, previous, previous_left, current, current_left = await self._valkey.ask(
            lambda _: self._script(keys, arguments)
        )
        return bool(taken), Window(
            int(previous or 0),
            max(previous_left, 0) / 1000,
            int(current or 0),
            max(current_left, 0) / 1000,
        )

    async def reset(self, key: str) -> None:
        """Raises Away."""
        await self._valkey.ask(lambda client: client.delete(*_windows(key)))


class Memory:
    """Counts in this process, as the library does in Valkey. What counts no more is forgotten when
    there are twice as many keys as after the last time: to look through all of them at each
    attempt, as the library's own does, would be all that the server does."""

    def __init__(self) -> None:
        self.counts: dict[str, Count] = {}
        self._room = ROOM

    def take(self, limit: RateLimitItem, key: str) -> tuple[bool, Window]:
        seconds = limit.get_expiry()
        now = time.time()
        number, since = divmod(now, seconds)
        count = self.counts.get(key)
        previous, current = count.of(int(number)) if count else (0, 0)
        left = seconds - since
        taken = math.floor(previous * left / seconds) + current < limit.amount
        if taken:
            current += 1
            self._keep(key, Count(int(number), previous, current, now + left + seconds), now)
        return taken, Window(previous, left if previous else 0.0, current, left + seconds)

    def reset(self, key: str) -> None:
        self.counts.pop(key, None)

    def _keep(self, key: str, count: "Count", now: float) -> None:
        if len(self.counts) >= self._room:
            self.counts = {key: count for key, count in self.counts.items() if count.ends > now}
            self._room = max(ROOM, 2 * len(self.counts))
        self.counts[key] = count


class Count(NamedTuple):
    """Attempts of the window of that number, and of the one before."""

    number: int
    previous: int
    current: int
    ends: float
    """When the last of them counts no more."""

    def of(self, number: int) -> tuple[int, int]:
        """As it is in a later window: of the one before, and of that one."""
        if number == self.number:
            return self.previous, self.current
        return (self.current if number == self.number + 1 else 0), 0


def _key(limit: RateLimitItem, name: str, keys: tuple[str, ...]) -> str:
    return f"{limit.amount}/{limit.get_expiry()}:{name}:{'|'.join(map(plain, keys))}"


def _windows(key: str) -> list[str]:
    return [f"rate:previous:{key}", f"rate:{key}"]


def _budget(limit: RateLimitItem, window: Window) -> Budget:
    seconds = limit.get_expiry()
    weighted = window.previous * window.previous_left / seconds + window.current
    remaining = max(limit.amount - math.floor(weighted), 0)
    return Budget(limit.amount, remaining, _whole_after(seconds, window) + MOMENT)


def _whole_after(seconds: int, window: Window) -> float:
    """The library rounds down: what weighs less than one attempt counts no more."""
    if window.current:
        return window.current_left - seconds / window.current
    return window.previous_left - seconds / window.previous if window.previous else 0.0


def _retry_after(limit: RateLimitItem, window: Window) -> float:
    """Until one attempt of the window before counts no more, or this window ends."""
    waits = [float(limit.get_expiry())]
    if window.previous:
        waits.append(window.previous_left % (limit.get_expiry() / window.previous))
    if window.current:
        waits.append(max(window.current_left - limit.get_expiry(), 0.0))
    return min(waits) + MOMENT


def plain(key: str) -> str:
    """The key, or a hash of one that is long or odd: clients choose some."""
    if PLAIN.fullmatch(key):
        return key
    return "#" + sha256(key.encode(errors="surrogatepass")).hexdigest()


@lru_cache(ROOM)
def network(address: str | None) -> str:
    """What an address is counted as. One person has 2**64 of IPv6."""
    if address is None:
        return "unknown"
    try:
        ip = ip_address(address)
    except ValueError:
        return plain(address)
    if isinstance(ip, IPv4Address):
        return str(ip)
    return str(ip.ipv4_mapped or IPv6Network((ip, 64), strict=False))

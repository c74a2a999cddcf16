"""What caches must forget.

Triggers note the keys of entries that are no longer true, in the transaction that changes what they
say. Every process reads these notes twice a second and forgets them. While it cannot, no entry is
believed: a revoked session is refused everywhere within two seconds, whatever fails.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Collection

from core.cache import Cache
from tables.engine import DB, Row

log = logging.getLogger("parley.cache")

# Two seconds are what an entry is believed, after it was put back by a reader who was held up,
# and after the quarter of a second that Valkey may take for it.
POLL_SECONDS = 0.5
BELIEVED_SECONDS = 1.25
"""How long entries are believed after they were last compared with the notes."""

FRESH_SECONDS = 0.5
"""How old what a reader puts into a shared cache may be: others may have forgotten it already."""

OVERLAP_SECONDS = 20.0
"""How long notes are heeded again, for what other processes put back."""

PRUNE_SECONDS = 60.0
BEGINNING = (float("-inf"), 0)
"""A time, and the number of a transaction that began before all that do at that time."""


class NotesRow(Row):
    horizon: int
    forgotten: list[str]


class Invalidations:
    def __init__(self, cache: Cache, entries_last: float) -> None:
        """`entries_last`: seconds after which the cache forgets by itself."""
        self.cache = cache
        self.notes_last = 2 * entries_last + OVERLAP_SECONDS
        self.on_notes: Callable[[Collection[str]], None] | None = None
        """Told the keys each time that notes are read: of those who listen, some may no longer."""

        self._believed_until = float("-inf")
        self._horizons = deque([BEGINNING])
        self._prunable = deque([BEGINNING])
        self._forgotten: frozenset[str] = frozenset()
        self._forgotten_at = float("-inf")
        self._reading = asyncio.Lock()

    def are_current(self) -> bool:
        return time.monotonic() < self._believed_until

    def may_keep(self, keys: Collection[str], read_since: float) -> bool:
        """Entries that were read since then (time.monotonic): not when nobody would hear that they
        are no longer true, nor when this was heard already. A reader may have been held up."""
        oldest = FRESH_SECONDS if self.cache.is_shared else OVERLAP_SECONDS
        if not self.are_current() or read_since < time.monotonic() - oldest:
            return False
        return read_since > self._forgotten_at or self._forgotten.isdisjoint(keys)

    async def forget_now(self) -> None:
        """After a change: here it counts at once. Elsewhere, and should this fail, it does when
        the notes are read next."""
        try:
            await self.catch_up()
        except Exception:
            log.exception("cannot read at once what caches must forget")

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self.catch_up()
                await self._prune()
            except Exception:
                log.exception("cannot read what caches must forget: nothing cached is believed")
            await asyncio.sleep(POLL_SECONDS)

    async def catch_up(self) -> None:
        """Forgets what has changed up to now."""
        async with self._reading:
            asked_at = time.monotonic()
            while len(self._horizons) > 1 and self._horizons[1][0] < asked_at - OVERLAP_SECONDS:
                self._horizons.popleft()
            async with DB.identity(read_only=True):
                rows = await DB.fetch(
                    NotesRow,
                    """SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS horizon,
                    ARRAY(SELECT DISTINCT i.key FROM cache_invalidations i
                        WHERE i.transaction_id >= $1) AS forgotten""",
                    self._horizons[0][1],
                )
            self._forgotten, self._forgotten_at = frozenset(rows[0].forgotten), time.monotonic()
            if self.on_notes:
                self.on_notes(self._forgotten)
            if not await self.cache.delete(*rows[0].forgotten):
                # What is in it may be untrue, and what was forgotten before may be back.
                self._believed_until = float("-inf")
                self._horizons = deque([BEGINNING])
                return
            # Writers that were under way have this horizon's number, or a later one.
            self._horizons.append((asked_at, rows[0].horizon))
            self._believed_until = asked_at + BELIEVED_SECONDS

    async def _prune(self) -> None:
        """By the numbers of transactions, not by time: one that took long notes at its end what
        other processes have not read yet."""
        at, horizon = self._horizons[-1]
        if at < self._prunable[-1][0] + PRUNE_SECONDS:
            return
        self._prunable.append((at, horizon))
        while len(self._prunable) > 1 and self._prunable[1][0] < at - self.notes_last:
            self._prunable.popleft()
        async with DB.identity():
            await DB.execute(
                "DELETE FROM cache_invalidations WHERE transaction_id < $1", self._prunable[0][1]
            )

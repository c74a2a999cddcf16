"""Sockets and event streams, which last: how many there are, and how they end."""

import asyncio
from collections import defaultdict
from contextlib import suppress
from typing import Protocol
from uuid import UUID

from core.errors import GoingAway, LimitReached

FINISH_SECONDS = 3.0
"""For answers that are under way when the process stops."""

LEAVE_SECONDS = FINISH_SECONDS + 1
"""For all of it: some clients do not read."""


class Connection(Protocol):
    async def leave(self) -> None:
        """Ends it so that its client goes on elsewhere. Answers that are under way are sent."""


class Connections:
    """Those of this process, by person."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._open: defaultdict[UUID, set[Connection]] = defaultdict(set)
        self.are_leaving = False

    def add(self, user_id: UUID, connection: Connection) -> None:
        """Raises LimitReached, GoingAway."""
        if self.are_leaving:
            raise GoingAway
        if len(self._open[user_id]) >= self._limit:
            raise LimitReached(f"More than {self._limit} sockets and event streams.")
        self._open[user_id].add(connection)

    def remove(self, user_id: UUID, connection: Connection) -> None:
        self._open[user_id].discard(connection)
        if not self._open[user_id]:
            del self._open[user_id]

    async def leave(self) -> None:
        """The process stops."""
        self.are_leaving = True
        every = [each for of_one in self._open.values() for each in of_one]
        with suppress(TimeoutError):
            async with asyncio.timeout(LEAVE_SECONDS):
                await asyncio.gather(*(each.leave() for each in every), return_exceptions=True)

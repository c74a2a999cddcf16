"""What a subscriber gets before they are told together with all others.

First what a client has missed: of each message that changed between its cursor and now the last
change. Then, since writers do not wait for it, all that came meanwhile, until it has caught up with
the reader. It is read a part at a time, each in a snapshot that also says whether they may see it.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence

from core.errors import CursorExpired
from resolvers.listener import MessageListener
from resolvers.listening import standing_of
from resolvers.message_change import (
    ChangeRow,
    Cursors,
    MessageChange,
    changes_between,
    last_changes_between,
    no_cursor,
)
from resolvers.message_company import company_of
from resolvers.message_feed import BATCH
from resolvers.reader import AGAIN_SECONDS, Reader
from tables.scope import UNAVAILABLE

Window = tuple[int, int]
"""Versions: after the first, up to the second."""


class Replay:
    def __init__(self, reader: Reader, listener: MessageListener, gate: asyncio.Semaphore) -> None:
        """`gate`: so many read at once."""
        self._reader = reader
        self._gate = gate
        self._listener = listener
        self._tenant_id = listener.tenant_id
        self._id = listener.conversation_id
        self._cursors = Cursors(self._tenant_id, self._id)

    async def run(self, after: str | None) -> AsyncGenerator[MessageChange, None]:
        """Until the listener is told whatever follows. Raises RuleError."""
        position = await self._version()
        if after is not None:
            cursor = self._cursors.version(after)
            if cursor > position:
                raise no_cursor()
            for part in _parts((cursor, position)):
                for change in await self._missed((cursor, position), part):
                    yield change
            while (version := await self._version()) > position + BATCH:
                for part in _parts((position, version)):
                    for change in await self._all(part):
                        yield change
                position = version
        joined = self._reader.join(self._listener, position)
        for part in _parts((position, joined)):
            for change in await self._all(part):
                yield change

    async def _version(self) -> int:
        """The conversation's."""

        async def nothing() -> Sequence[MessageChange]:
            return ()

        version, _ = await self._read(None, nothing)
        return version

    async def _missed(self, window: Window, part: Window) -> Sequence[MessageChange]:
        return await self._changes(
            window, lambda: last_changes_between(self._tenant_id, self._id, window, part)
        )

    async def _all(self, part: Window) -> Sequence[MessageChange]:
        return await self._changes(part, lambda: changes_between(self._tenant_id, {self._id: part}))

    async def _changes(
        self, window: Window, read: Callable[[], Awaitable[Sequence[ChangeRow]]]
    ) -> Sequence[MessageChange]:
        """Nothing in the window may have been forgotten: it says what is new to the client."""

        async def with_company() -> Sequence[MessageChange]:
            rows = await read()
            known = await company_of(self._tenant_id, rows)
            return [self._cursors.change(row, known) for row in rows]

        _, changes = await self._read(window[0], with_company)
        return changes

    async def _read(
        self, after: int | None, read: Callable[[], Awaitable[Sequence[MessageChange]]]
    ) -> tuple[int, Sequence[MessageChange]]:
        """With the conversation's version. An outage of the database is sat out."""
        while True:
            self._listener.check()
            try:
                async with self._reader.reading(self._gate):
                    version = await self._standing(after)
                    return version, await read()
            except UNAVAILABLE:
                await asyncio.sleep(AGAIN_SECONDS)

    async def _standing(self, after: int | None) -> int:
        """The conversation's version. Raises why they may not hear what came after another one."""
        standing = await standing_of(self._tenant_id, [self._listener])
        for error in standing.refused.values():
            raise error
        if after is not None and after < standing.forgotten_versions[self._id]:
            raise CursorExpired
        return standing.versions[self._id]


def _parts(window: Window) -> Iterator[Window]:
    """Of few versions each, to hold few messages at once."""
    after, upto = window
    for start in range(after, upto, BATCH):
        yield start, min(start + BATCH, upto)

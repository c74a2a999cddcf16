"""Reads, for all who listen in one workspace, what is new in it.

One statement asks who may still hear, and one finds what is new in all the conversations that it
was woken for: what that costs does not grow with those who listen. Wake-ups may get lost, so it
looks by itself now and then. While the database cannot be asked, nobody is told anything.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from uuid import UUID

from resolvers.inbox import Inboxes
from resolvers.listener import InboxListener, Listener, MessageListener
from resolvers.listening import standing_of
from resolvers.message_feed import MessageFeed
from tables.engine import DB

log = logging.getLogger("parley.subscriptions")

AGAIN_SECONDS = 0.5
"""Until what failed is tried again."""


class Reader:
    def __init__(
        self, tenant_id: UUID | None, poll_seconds: float, gate: asyncio.Semaphore
    ) -> None:
        """None: of people outside of any workspace, whose session may end. `gate`: so many
        readers read at once, and leave the other connections to requests."""
        self.tenant_id = tenant_id
        self.messages = MessageFeed(tenant_id)
        self.inboxes = Inboxes(tenant_id)
        self.listeners: set[Listener] = set()
        self._poll_seconds = poll_seconds
        self._gate = gate
        self._wake = asyncio.Event()
        self._changed: set[UUID] = set()
        self._suspects: set[Listener] = set()
        self._polls = False
        self._task = asyncio.create_task(self._run())

    def enter(self, listener: Listener) -> None:
        self.listeners.add(listener)
        if isinstance(listener, InboxListener):
            self.inboxes.listeners.add(listener)
            self.suspect([listener])

    def leave(self, listener: Listener) -> None:
        self.listeners.discard(listener)
        if isinstance(listener, InboxListener):
            self.inboxes.listeners.discard(listener)
        elif isinstance(listener, MessageListener):
            self.messages.leave(listener)

    def join(self, listener: MessageListener, position: int) -> int:
        """They hear of all after the version that is returned, of what is before by themselves."""
        joined = self.messages.join(listener, position)
        self.wake([listener.conversation_id])
        return joined

    def stop(self) -> None:
        self._task.cancel()

    def wake(self, conversation_ids: Iterable[UUID]) -> None:
        """Something changed there."""
        for id in conversation_ids:
            if self.inboxes.listeners or id in self.messages.places:
                self._changed.add(id)
                self._wake.set()

    def suspect(self, listeners: Iterable[Listener]) -> None:
        """They may no longer have the right to listen."""
        self._suspects.update(listeners)
        self._wake.set()

    def poll(self) -> None:
        """Something may have changed anywhere."""
        self._polls = True
        self._wake.set()

    async def _run(self) -> None:
        failed = False
        now = asyncio.get_running_loop().time
        polls_at = now() + self._poll_seconds  # also where something else happens all the time
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout_at(polls_at):
                    await self._wake.wait()
            self._wake.clear()
            if now() >= polls_at:
                self._polls, polls_at = True, now() + self._poll_seconds
            try:
                await self._read()
                failed = False
            except Exception:
                if not failed:
                    log.exception("cannot read what is new: nobody is told, until it can be")
                failed = True
                await asyncio.sleep(AGAIN_SECONDS)
                self.poll()

    async def _read(self) -> None:
        polls, self._polls = self._polls, False
        changed, self._changed = self._changed, set()
        suspects, self._suspects = self._suspects, set()
        listeners = self._concerned(changed, suspects, polls=polls)
        if not listeners:
            return
        async with self.reading(self._gate):
            standing = await standing_of(self.tenant_id, listeners)
            changes = await self.messages.read(standing)
            news = await self.inboxes.read(standing, changed, polls=polls)
        for listener, error in standing.refused.items():
            listener.end(error)
        self.wake(self.messages.tell(changes))
        self.inboxes.tell(news)
        for listener in listeners:
            listener.admit()

    def _concerned(
        self, changed: set[UUID], suspects: set[Listener], *, polls: bool
    ) -> Sequence[Listener]:
        """All of a conversation, or none: what is read of it is told to all of them."""
        if polls:
            return [*self.listeners]
        concerned = suspects & self.listeners
        for id in changed | {listener.conversation_id for listener in concerned}:
            concerned |= self.messages.listeners(id)
        if changed:
            concerned |= self.inboxes.listeners
        return [*concerned]

    @asynccontextmanager
    async def reading(self, gate: asyncio.Semaphore) -> AsyncIterator[None]:
        """A snapshot of the workspace, or of people and sessions alone."""
        async with gate:
            if self.tenant_id is None:
                scope = DB.identity(read_only=True)
            else:
                scope = DB.tenant(self.tenant_id, read_only=True)
            async with scope:
                yield

"""What happens, told to those who subscribe.

The database is the truth: it is read from there, in the order of versions, so that nothing is lost
and nothing comes twice. The bus only says when to look.
"""

import asyncio
from collections.abc import AsyncGenerator, Collection, Iterator
from contextlib import aclosing, contextmanager
from datetime import datetime
from uuid import UUID

from core.bus import Bus, PostgresBus, ValkeyBus
from core.errors import GoingAway, RuleError
from core.settings import Settings
from core.valkey import Valkey
from core.viewer import Identity, Viewer
from resolvers.conversation import ConversationRow
from resolvers.conversation_change import conversation_of
from resolvers.listener import InboxListener, Listener, MessageListener
from resolvers.message_change import MessageChange
from resolvers.message_replay import Replay
from resolvers.reader import Reader

READERS_AT_ONCE = 4
EVENTS_AT_ONCE = 4
REPLAYS_AT_ONCE = 4
"""Connections to the database that each of them take from requests, at the most. Whoever comes back
with hundreds of subscriptions does not keep others from hearing what is new."""


class Subscriptions:
    """Of one process."""

    def __init__(self, settings: Settings, valkey: Valkey | None) -> None:
        self.bus: Bus = (
            ValkeyBus(self._changed, valkey)
            if valkey
            else PostgresBus(self._changed, settings.listen_url)
        )
        self._settings = settings
        self.turns = asyncio.Semaphore(EVENTS_AT_ONCE)
        """Of those who are told something, to read what else they asked for."""

        self._gate = asyncio.Semaphore(READERS_AT_ONCE)
        self._replay_gate = asyncio.Semaphore(REPLAYS_AT_ONCE)
        self._readers: dict[UUID | None, Reader] = {}
        self._by_key: dict[str, set[Listener]] = {}
        self._stopped = False

    async def message_changes(
        self, viewer: Viewer, expires_at: datetime, conversation_id: UUID, after: str | None
    ) -> AsyncGenerator[MessageChange, None]:
        """Every change from now on, in the order of versions; with a cursor first what it missed:
        each message that has changed since once, as it is now. `expires_at` is the token's.
        Raises RuleError, at the end too: SLOW_CONSUMER and GOING_AWAY may go on with `after`."""
        queue = self._settings.subscription_queue
        listener = MessageListener(viewer, expires_at, conversation_id, queue)
        with self._listening(listener) as reader:
            replay = Replay(reader, listener, self._replay_gate)
            async with aclosing(replay.run(after)) as missed:
                async for change in missed:
                    listener.check()
                    yield change
            while True:
                yield await listener.next()

    async def inbox_changes(
        self, viewer: Viewer, expires_at: datetime
    ) -> AsyncGenerator[ConversationRow, None]:
        """Conversations that the viewer takes part in, whenever they are new or have changed: the
        latest state of each, not every one between. Raises RuleError."""
        listener = InboxListener(viewer, expires_at, self._settings.subscription_queue)
        with self._listening(listener):
            while True:
                yield await listener.next()

    async def ended(self, identity: Identity, expires_at: datetime) -> RuleError:
        """Why, as soon as the session, the person or the token is no more."""
        who = Identity(identity.user_id, identity.session_id)
        listener = Listener(who, expires_at)
        with self._listening(listener) as reader:
            reader.suspect([listener])
            return await listener.ended()

    def suspect(self, keys: Collection[str]) -> None:
        """What the notes of triggers name has changed: those whose right rests on it are asked
        for again."""
        for key in keys:
            for listener in self._by_key.get(key, ()):
                self._readers[listener.tenant_id].suspect([listener])

    def stop(self) -> None:
        """Ends all subscriptions. May be called again."""
        self._stopped = True
        for reader in self._readers.values():
            reader.stop()
            for listener in reader.listeners:
                listener.end(GoingAway())

    @contextmanager
    def _listening(self, listener: Listener) -> Iterator[Reader]:
        """The workspace's reader, which there is as long as somebody listens."""
        if self._stopped:
            listener.end(GoingAway())
        tenant_id = listener.tenant_id
        reader = self._readers.get(tenant_id)
        if reader is None:
            poll = self._settings.subscription_poll_seconds
            reader = self._readers[tenant_id] = Reader(tenant_id, poll, self._gate)
        reader.enter(listener)
        for key in listener.keys:
            self._by_key.setdefault(key, set()).add(listener)
        try:
            yield reader
        finally:
            listener.close()
            reader.leave(listener)
            self._forget(listener)
            if not reader.listeners:
                reader.stop()
                del self._readers[tenant_id]

    def _forget(self, listener: Listener) -> None:
        for key in listener.keys:
            self._by_key[key].discard(listener)
            if not self._by_key[key]:
                del self._by_key[key]

    def _changed(self, keys: Collection[str] | None) -> None:
        """Conversations, by their keys. None: anything may have."""
        if keys is None:
            for reader in self._readers.values():
                reader.poll()
            return
        for key in keys:
            tenant_id, id = conversation_of(key)
            if id and tenant_id in self._readers:
                self._readers[tenant_id].wake([id])

"""Whoever listens: what waits for them, and why they no longer may."""

import asyncio
from collections import deque
from collections.abc import Iterator, Sequence
from datetime import datetime
from uuid import UUID

from core.errors import RuleError, SlowConsumer, Unauthenticated
from core.time import now
from core.viewer import Identity, Viewer
from resolvers.conversation import ConversationRow
from resolvers.conversation_change import conversation_key
from resolvers.message_change import MessageChange


class Listener:
    """Made in the loop that serves, and closed in the end."""

    tenant_id: UUID | None = None
    conversation_id: UUID | None = None

    def __init__(self, identity: Identity, expires_at: datetime) -> None:
        self.identity = identity
        self.error: RuleError | None = None
        self.is_admitted = False
        """Whether it was asked if they may hear what waits, as it was not of who has just come."""

        self._something = asyncio.Event()
        left = max((expires_at - now()).total_seconds(), 0)
        self._timer = asyncio.get_running_loop().call_later(left, self.end, signed_out())

    @property
    def keys(self) -> Iterator[str]:
        """What the notes of triggers call what their right to listen rests on."""
        yield f"sess:{self.identity.session_id}"
        yield f"user:{self.identity.user_id}"

    def end(self, error: RuleError) -> None:
        """The first reason counts. What waits is dropped: they may not see it any more."""
        self.error = self.error or error
        self._something.set()

    def admit(self) -> None:
        self.is_admitted = True
        self._something.set()

    def close(self) -> None:
        self._timer.cancel()

    async def ended(self) -> RuleError:
        while self.error is None:
            await self._wait()
        return self.error

    def check(self) -> None:
        """Raises why they may not go on."""
        if self.error:
            raise self.error

    async def _wait(self) -> None:
        self._something.clear()
        await self._something.wait()


class MemberListener(Listener):
    def __init__(self, viewer: Viewer, expires_at: datetime) -> None:
        super().__init__(viewer, expires_at)
        self.tenant_id: UUID = viewer.tenant_id
        self.role = viewer.role

    @property
    def keys(self) -> Iterator[str]:
        yield from super().keys
        yield f"member:{self.tenant_id}:{self.identity.user_id}"


class MessageListener(MemberListener):
    def __init__(
        self, viewer: Viewer, expires_at: datetime, conversation_id: UUID, queue: int
    ) -> None:
        super().__init__(viewer, expires_at)
        self.conversation_id: UUID = conversation_id
        self.position = 0
        """Of what is older they have heard, or are told otherwise."""

        self._waiting: deque[MessageChange] = deque()
        self._queue = queue

    @property
    def keys(self) -> Iterator[str]:
        yield from super().keys
        yield conversation_key(self.tenant_id, self.conversation_id)

    def tell(self, changes: Sequence[MessageChange]) -> None:
        self._waiting.extend(change for change in changes if change.version > self.position)
        if len(self._waiting) > self._queue:
            self._waiting.clear()
            self.end(SlowConsumer("Too slow: subscribe again, after the last cursor you saw."))
        self._something.set()

    async def next(self) -> MessageChange:
        """Raises the reason when they no longer may."""
        while True:
            self.check()
            if self._waiting and self.is_admitted:
                return self._waiting.popleft()
            await self._wait()


class InboxListener(MemberListener):
    def __init__(self, viewer: Viewer, expires_at: datetime, queue: int) -> None:
        super().__init__(viewer, expires_at)
        self.is_new = True
        """Whether what was there before them has still to be told from what comes."""

        self._waiting: dict[UUID, ConversationRow] = {}
        self._queue = queue

    def tell(self, conversation: ConversationRow) -> None:
        """The latest state of it replaces one that waits."""
        self._waiting[conversation.id] = conversation
        if len(self._waiting) > self._queue:
            self._waiting.clear()
            self.end(SlowConsumer("Too slow: load the conversations anew, and subscribe again."))
        self._something.set()

    async def next(self) -> ConversationRow:
        """Raises the reason when they no longer may."""
        while True:
            self.check()
            if self._waiting and self.is_admitted:
                return self._waiting.pop(next(iter(self._waiting)))
            await self._wait()


def signed_out() -> Unauthenticated:
    return Unauthenticated("Sign in again.")

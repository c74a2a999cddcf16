"""What a field gets to know about its request."""

import asyncio
import sys
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import strawberry
from limits import RateLimitItem
from strawberry.types.graphql import OperationType

from core.errors import Forbidden, RateLimited, RuleError, Unauthenticated
from core.rate_limit import Budget, network
from core.time import EPOCH
from core.viewer import Caller, Identity, Viewer
from resolvers.database import reading
from resolvers.loading import NOTHING, Batch, K, Known, Loaders, R
from resolvers.services import Services


def no_workspace() -> Forbidden:
    return Forbidden("No such workspace, or you are not a member of it.")


@dataclass
class RefreshCookie:
    """Keeps the refresh token of a browser app, whose scripts never see it."""

    received: str | None
    sent: str | None = None
    """What the answer sets: a token, or "" for the browser to forget it."""


@dataclass
class Context:
    """Made for each operation, with loaders of its own."""

    services: Services
    caller: Caller
    tenant: str | None = None
    """The workspace that the request names, by slug or id."""

    refresh_cookie: RefreshCookie | None = None
    """When the client asked for one."""

    who: Identity | None = None
    refusal: RuleError | None = None
    """Why a token that was sent is not accepted."""

    expires_at: datetime = EPOCH
    """Until when the token proves who asks."""

    operation_type: OperationType | None = None
    """Of what executes; None as long as nothing does."""

    budgets: list[Budget] = field(default_factory=list)
    """What is left of the limits that the request counts against."""

    retry_after: float = 0.0
    """Seconds, once a limit was reached."""

    has_written: bool = False
    """Whether a rule that may change something has run."""

    loaders: Loaders = field(default_factory=Loaders)
    _reading: AbstractAsyncContextManager[object] | None = None

    @property
    def is_following(self) -> bool:
        """Whether it is a subscription, which ends only when somebody ends it."""
        return self.operation_type is OperationType.SUBSCRIPTION

    @property
    def identity(self) -> Identity:
        """Raises Unauthenticated when nobody is signed in."""
        if self.who is None:
            raise self.refusal or Unauthenticated("Sign in first.")
        return self.who

    @property
    def viewer(self) -> Viewer:
        """Raises Forbidden when the workspace is unknown or not the person's: one answer."""
        identity = self.identity
        if not isinstance(identity, Viewer):
            raise no_workspace()
        return identity

    def is_in(self, tenant_id: UUID) -> bool:
        """Whether the request is made in this workspace."""
        return isinstance(self.who, Viewer) and self.who.tenant_id == tenant_id

    async def identify(self, identity: Identity) -> Identity:
        """`identity` becomes who asks, in the request's workspace if they may. Raises
        Unauthenticated."""
        self.who = await self.services.authentication.authenticate(identity, self.tenant)
        return self.who

    async def identify_again(self) -> None:
        """What came before in an operation may have changed who asks, and as what."""
        if self.who is None:
            return
        try:
            await self.identify(Identity(self.who.user_id, self.who.session_id))
        except Unauthenticated as refusal:
            self.who, self.refusal = None, refusal

    async def refusal_since(self) -> RuleError | None:
        """Why who asks may not any more, if what was believed of them has ended since."""
        if self.who is None:
            return None
        identity = Identity(self.who.user_id, self.who.session_id)
        try:
            now = await self.services.authentication.authenticate(identity, self.tenant, anew=True)
        except Unauthenticated as refusal:
            return refusal
        was_member = isinstance(self.who, Viewer)
        return no_workspace() if was_member and not isinstance(now, Viewer) else None

    def forget_refresh_cookie(self) -> None:
        if self.refresh_cookie:
            self.refresh_cookie.sent = ""

    async def count(self, limit: RateLimitItem | None, name: str, key: str) -> None:
        """One request more. Raises RateLimited."""
        budget = await self.services.limits.take(limit, name, key)
        if budget is not None:
            self.budgets.append(budget)

    async def begin_reading(
        self, known: Known = NOTHING, turns: asyncio.Semaphore | None = None
    ) -> None:
        """Until `end_reading`, all that is read is of one moment. What is known already, of one
        not long before, is not read. `turns` to read, where many would at once."""
        self.loaders = Loaders(known)
        if self.who is not None:
            self._reading = reading(self.who, turns)
            await self._reading.__aenter__()

    async def end_reading(self) -> None:
        self.loaders.end()
        ending, self._reading = self._reading, None
        if ending is not None:
            await ending.__aexit__(*sys.exc_info())

    def limited(self, refusal: RateLimited) -> None:
        self.retry_after = max(self.retry_after, refusal.retry_after)
        if refusal.limit:
            self.budgets.append(Budget(refusal.limit, 0, refusal.retry_after))

    async def count_again(self) -> None:
        """A further mutation of an operation, as if it were a request. Raises RateLimited."""
        settings = self.services.settings
        await self.count(settings.limit_address, "address", network(self.caller.ip_address))
        if self.who is not None:
            await self.count(settings.limit_user, "user", str(self.who.user_id))

    def know(self, known: Known) -> None:
        """What came along with rows."""
        if known:
            self.loaders.know(self.viewer, known)

    async def load(self, batch: Batch[K, R], key: K) -> R:
        return await self.loaders.load(batch, self.viewer, key)

    async def load_many(self, batch: Batch[K, R], keys: Sequence[K]) -> list[R | BaseException]:
        """Of each key the result, or the error that stands for it."""
        return await self.loaders.load_many(batch, self.viewer, keys) if keys else []

    async def load_many_own(self, batch: Batch[K, R], keys: Sequence[K]) -> list[R | BaseException]:
        """As `load_many`, of what is one's own, in whatever workspace."""
        return await self.loaders.load_many(batch, self.identity, keys) if keys else []

    async def load_own(self, batch: Batch[K, R], key: K) -> R:
        """For batches of what is one's own, in whatever workspace."""
        return await self.loaders.load(batch, self.identity, key)


Info = strawberry.Info[Context, None]

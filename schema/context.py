"""What a field gets to know about its request."""

from dataclasses import dataclass, field
from uuid import UUID

import strawberry

from core.errors import Forbidden, RuleError, Unauthenticated
from core.viewer import Identity, Viewer
from resolvers.loading import Batch, K, Loaders, R


@dataclass
class Context:
    """Made for each operation, with loaders of its own."""

    request_id: str
    who: Identity | None = None
    refusal: RuleError | None = None
    """Why a token that was sent is not accepted."""

    loaders: Loaders = field(default_factory=Loaders)

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
            raise Forbidden("No such workspace, or you are not a member of it.")
        return identity

    def is_in(self, tenant_id: UUID) -> bool:
        """Whether the request is made in this workspace."""
        return isinstance(self.who, Viewer) and self.who.tenant_id == tenant_id

    async def load(self, batch: Batch[K, R], key: K) -> R:
        return await self.loaders.load(batch, self.viewer, key)

    async def load_one(self, batch: Batch[K, R | None], key: K | None) -> R | None:
        """As `load`, of an edge that may lead nowhere."""
        return None if key is None else await self.load(batch, key)

    async def load_own(self, batch: Batch[K, R], key: K) -> R:
        """For batches of what is one's own, in whatever workspace."""
        return await self.loaders.load(batch, self.identity, key)


Info = strawberry.Info[Context, None]

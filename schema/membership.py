from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import strawberry

from core.viewer import TenantRole
from resolvers.loading import Batch
from resolvers.tenant import own_tenants_by_id, tenants_by_id
from resolvers.user import own_users_by_id, users_by_id
from schema.context import Context
from schema.loading import Loaded
from schema.node import Node
from schema.user import User

if TYPE_CHECKING:
    from schema.tenant import Tenant

strawberry.enum(TenantRole, description="OWNER may what ADMIN may, ADMIN what MEMBER may.")


class OfMembership(Loaded):
    """Memberships in other workspaces are one's own: what belongs to them is read as oneself."""

    def __init__(self, batch: Batch[Any, Any], own: Batch[Any, Any], key: str) -> None:
        super().__init__(batch, key)
        self.own = own

    def keys(self, objects: Sequence[Any], arguments: dict[str, Any]) -> list[Any]:
        tenants = [membership.tenant_id for membership in objects]
        return list(zip(tenants, super().keys(objects, arguments), strict=True))

    async def load(
        self,
        context: Context,
        keys: list[Any],
        arguments: dict[str, Any],  # noqa: ARG002
    ) -> list[Any]:
        here = [key for key in keys if context.is_in(key[0])]
        own = [key for key in keys if not context.is_in(key[0])]
        found = await context.load_many(self.batch, [key for _, key in here])
        found += await context.load_many_own(self.own, [key for _, key in own])
        by_key = dict(zip(here + own, found, strict=True))
        return [by_key[key] for key in keys]


@strawberry.type
class Membership(Node):
    role: TenantRole
    is_active: bool
    created_at: datetime
    tenant_id: strawberry.Private[UUID]
    user_id: strawberry.Private[UUID]

    tenant: Annotated["Tenant", strawberry.lazy("schema.tenant")] = strawberry.field(
        extensions=[OfMembership(tenants_by_id, own_tenants_by_id, "tenant_id")]
    )
    user: User = strawberry.field(
        extensions=[OfMembership(users_by_id, own_users_by_id, "user_id")]
    )

from datetime import datetime
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import strawberry

from core.viewer import TenantRole
from resolvers.tenant import TenantRow, own_tenants_by_id, tenants_by_id
from resolvers.user import UserRow, own_users_by_id, users_by_id
from schema.context import Info
from schema.node import Node
from schema.user import User

if TYPE_CHECKING:
    from schema.tenant import Tenant

strawberry.enum(TenantRole, description="OWNER may what ADMIN may, ADMIN what MEMBER may.")


@strawberry.type
class Membership(Node):
    role: TenantRole
    is_active: bool
    created_at: datetime
    tenant_id: strawberry.Private[UUID]
    user_id: strawberry.Private[UUID]

    @strawberry.field(graphql_type=Annotated["Tenant", strawberry.lazy("schema.tenant")])
    async def tenant(self, info: Info) -> TenantRow | None:
        context = info.context
        if context.is_in(self.tenant_id):
            return await context.load(tenants_by_id, self.tenant_id)
        return await context.load_own(own_tenants_by_id, self.tenant_id)

    @strawberry.field(graphql_type=User)
    async def user(self, info: Info) -> UserRow | None:
        context = info.context
        if context.is_in(self.tenant_id):
            return await context.load(users_by_id, self.user_id)
        return await context.load_own(own_users_by_id, self.user_id)

from datetime import datetime
from typing import Any

import strawberry
from strawberry.scalars import JSON

from core.errors import Forbidden
from core.viewer import TenantRole
from resolvers.membership import MembershipRow, list_members
from resolvers.paging import PageArguments, Slice
from schema.context import Info
from schema.membership import Membership
from schema.node import Node
from schema.pagination import Connection, Paged


@strawberry.type(description="A workspace.")
class Tenant(Node):
    slug: str
    name: str
    created_at: datetime
    updated_at: datetime
    settings: strawberry.Private[dict[str, Any]]

    @strawberry.field(name="settings", description="Shown to admins; others get {}.")
    def visible_settings(self, info: Info) -> JSON:
        context = info.context
        may_see = context.is_in(self.id) and context.viewer.is_admin
        return JSON(self.settings if may_see else {})

    @strawberry.field(graphql_type=Connection[Membership], extensions=[Paged()])
    async def members(
        self,
        info: Info,
        arguments: PageArguments,
        search: str | None = None,
        roles: list[TenantRole] | None = None,
    ) -> Slice[MembershipRow]:
        if not info.context.is_in(self.id):
            raise Forbidden("Ask for this in that workspace: X-Tenant chooses it.")
        return await list_members(info.context.viewer, arguments, search, roles)

import strawberry
from strawberry.scalars import JSON

from resolvers.tenant import TenantRow
from resolvers.tenant_management import create_tenant, update_tenant
from schema.context import Info
from schema.payload import Mutates, Payload, given
from schema.tenant import Tenant


@strawberry.input
class CreateTenantInput:
    name: str
    slug: str | None = None


@strawberry.input
class UpdateTenantInput:
    name: str | None = strawberry.UNSET
    settings: JSON | None = strawberry.UNSET


@strawberry.type
class TenantPayload(Payload):
    tenant: TenantRow | None = strawberry.field(graphql_type=Tenant | None, default=None)


@strawberry.type
class TenantMutations:
    @strawberry.mutation(
        description="Makes a workspace that the viewer owns; without a slug it gets one.",
        extensions=[Mutates(TenantPayload)],
    )
    async def create_tenant(self, info: Info, input: CreateTenantInput) -> TenantPayload:
        context = info.context
        tenant = await create_tenant(
            context.services, context.identity, context.caller, input.name, input.slug
        )
        return TenantPayload(tenant=tenant)

    @strawberry.mutation(
        description="Changes what is given. Of admins.", extensions=[Mutates(TenantPayload)]
    )
    async def update_tenant(self, info: Info, input: UpdateTenantInput) -> TenantPayload:
        context = info.context
        tenant = await update_tenant(context.viewer, context.caller, **given(input))
        return TenantPayload(tenant=tenant)

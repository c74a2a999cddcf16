import strawberry

from core.viewer import TenantRole
from resolvers.membership import MembershipRow
from resolvers.membership_management import add_member, change_member_role, remove_member
from schema.context import Info
from schema.membership import Membership
from schema.node import key_of
from schema.payload import Mutates, Payload


@strawberry.input
class AddMemberInput:
    username: str
    role: TenantRole = TenantRole.MEMBER


@strawberry.input
class ChangeMemberRoleInput:
    user_id: strawberry.ID
    role: TenantRole


@strawberry.input
class RemoveMemberInput:
    user_id: strawberry.ID


@strawberry.type
class MembershipPayload(Payload):
    membership: MembershipRow | None = strawberry.field(
        graphql_type=Membership | None, default=None
    )


@strawberry.type
class MembershipMutations:
    @strawberry.mutation(
        description="Of admins. Nobody gives a role above their own.",
        extensions=[Mutates(MembershipPayload)],
    )
    async def add_member(self, info: Info, input: AddMemberInput) -> MembershipPayload:
        context = info.context
        membership = await add_member(
            context.services, context.viewer, context.caller, input.username, input.role
        )
        return MembershipPayload(membership=membership)

    @strawberry.mutation(
        description="Of admins, for who is not above them. A workspace keeps an owner.",
        extensions=[Mutates(MembershipPayload)],
    )
    async def change_member_role(
        self, info: Info, input: ChangeMemberRoleInput
    ) -> MembershipPayload:
        context = info.context
        user_id = key_of(input.user_id, "User", "userId")
        membership = await change_member_role(
            context.services, context.viewer, context.caller, user_id, input.role
        )
        return MembershipPayload(membership=membership)

    @strawberry.mutation(
        description="Of admins, for who is not above them; or of oneself, who leaves.",
        extensions=[Mutates(MembershipPayload)],
    )
    async def remove_member(self, info: Info, input: RemoveMemberInput) -> MembershipPayload:
        context = info.context
        user_id = key_of(input.user_id, "User", "userId")
        membership = await remove_member(context.services, context.viewer, context.caller, user_id)
        return MembershipPayload(membership=membership)

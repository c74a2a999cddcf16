import strawberry

from resolvers.user import UserRow
from resolvers.user_account import change_password, sign_up, update_profile
from schema.context import Info
from schema.payload import Mutates, Payload, given
from schema.session_mutations import SignInPayload, sign_in_payload
from schema.user import User


@strawberry.input
class SignUpInput:
    username: str
    email: str
    password: str
    full_name: str | None = None
    tenant_name: str | None = None


@strawberry.input
class UpdateProfileInput:
    full_name: str | None = strawberry.UNSET
    email: str | None = strawberry.UNSET


@strawberry.input
class ChangePasswordInput:
    current_password: str
    new_password: str


@strawberry.type
class UpdateProfilePayload(Payload):
    user: UserRow | None = strawberry.field(graphql_type=User | None, default=None)


@strawberry.type
class ChangePasswordPayload(Payload):
    success: bool = False


@strawberry.type
class UserMutations:
    @strawberry.mutation(
        description="Makes an account, and with tenantName a workspace that it owns.",
        extensions=[Mutates(SignInPayload)],
    )
    async def sign_up(self, info: Info, input: SignUpInput) -> SignInPayload:
        context = info.context
        signed_in = await sign_up(context.services, context.caller, **vars(input))
        return await sign_in_payload(context, signed_in)

    @strawberry.mutation(
        description="Changes what is given; null takes the full name away.",
        extensions=[Mutates(UpdateProfilePayload)],
    )
    async def update_profile(self, info: Info, input: UpdateProfileInput) -> UpdateProfilePayload:
        context = info.context
        user = await update_profile(
            context.services, context.identity, context.caller, **given(input)
        )
        return UpdateProfilePayload(user=user)

    @strawberry.mutation(
        description="Ends one's other sessions.", extensions=[Mutates(ChangePasswordPayload)]
    )
    async def change_password(
        self, info: Info, input: ChangePasswordInput
    ) -> ChangePasswordPayload:
        context = info.context
        await change_password(
            context.services,
            context.identity,
            context.caller,
            input.current_password,
            input.new_password,
        )
        return ChangePasswordPayload(success=True)

from datetime import datetime

import strawberry

import resolvers.session_ending as rules
from resolvers.session_opening import SignedIn, sign_in
from resolvers.session_refresh import refresh_session
from schema.context import Context, Info
from schema.node import key_of
from schema.payload import Mutates, Payload
from schema.viewer import Viewer


@strawberry.input
class SignInInput:
    username: str = strawberry.field(description="A username or an e-mail address.")
    password: str


@strawberry.input
class RefreshSessionInput:
    refresh_token: str = strawberry.field(description='"" for that of the cookie.')


@strawberry.input
class RevokeSessionInput:
    id: strawberry.ID


@strawberry.type
class SignInPayload(Payload):
    access_token: str | None = None
    refresh_token: str | None = strawberry.field(
        description="Null when a cookie keeps it.", default=None
    )
    expires_at: datetime | None = strawberry.field(
        description="When the access token does.", default=None
    )
    viewer: Viewer | None = None


@strawberry.type
class SignOutPayload(Payload):
    success: bool = False


@strawberry.type
class RevokeSessionPayload(Payload):
    success: bool = False


async def sign_in_payload(context: Context, signed_in: SignedIn) -> SignInPayload:
    cookie = context.refresh_cookie
    if cookie:  # first: whatever fails from here, the session is open
        cookie.sent = signed_in.refresh_token
    identity = await context.identify(signed_in.identity)
    return SignInPayload(
        access_token=signed_in.access_token,
        refresh_token=None if cookie else signed_in.refresh_token,
        expires_at=signed_in.expires_at,
        viewer=Viewer(identity=identity),
    )


@strawberry.type
class SessionMutations:
    @strawberry.mutation(extensions=[Mutates(SignInPayload)])
    async def sign_in(self, info: Info, input: SignInInput) -> SignInPayload:
        context = info.context
        signed_in = await sign_in(
            context.services, context.caller, context.tenant, input.username, input.password
        )
        return await sign_in_payload(context, signed_in)

    @strawberry.mutation(
        description="Exchanges the refresh token for the next one, and a new access token.",
        extensions=[Mutates(SignInPayload)],
    )
    async def refresh_session(self, info: Info, input: RefreshSessionInput) -> SignInPayload:
        context = info.context
        kept = context.refresh_cookie and context.refresh_cookie.received
        signed_in = await refresh_session(
            context.services, context.caller, input.refresh_token or kept or ""
        )
        return await sign_in_payload(context, signed_in)

    @strawberry.mutation(extensions=[Mutates(SignOutPayload)])
    async def sign_out(self, info: Info) -> SignOutPayload:
        context = info.context
        await rules.sign_out(context.services, context.identity, context.caller)
        context.forget_refresh_cookie()
        return SignOutPayload(success=True)

    @strawberry.mutation(
        description="Ends all sessions, this one too.", extensions=[Mutates(SignOutPayload)]
    )
    async def sign_out_everywhere(self, info: Info) -> SignOutPayload:
        context = info.context
        await rules.sign_out_everywhere(context.services, context.identity, context.caller)
        context.forget_refresh_cookie()
        return SignOutPayload(success=True)

    @strawberry.mutation(
        description="Ends one of one's own.", extensions=[Mutates(RevokeSessionPayload)]
    )
    async def revoke_session(self, info: Info, input: RevokeSessionInput) -> RevokeSessionPayload:
        context = info.context
        identity, id = context.identity, key_of(input.id, "Session", "id")
        await rules.revoke_session(context.services, identity, context.caller, id)
        if id == identity.session_id:
            context.forget_refresh_cookie()
        return RevokeSessionPayload(success=True)

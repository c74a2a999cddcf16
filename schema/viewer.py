import strawberry

from core.viewer import Identity
from core.viewer import Viewer as Member
from resolvers.membership import MembershipRow, memberships_by_user, own_memberships
from resolvers.session import SessionRow, own_sessions
from resolvers.user import UserRow, own_users_by_id, users_by_id
from schema.context import Info
from schema.membership import Membership
from schema.session import Session
from schema.user import User


@strawberry.type(description="Whoever asks.")
class Viewer:
    identity: strawberry.Private[Identity]

    @strawberry.field(graphql_type=User)
    async def user(self, info: Info) -> UserRow | None:
        if isinstance(self.identity, Member):
            return await info.context.load(users_by_id, self.identity.user_id)
        return await info.context.load_own(own_users_by_id, self.identity.user_id)

    @strawberry.field(description="In the request's workspace.", graphql_type=Membership | None)
    async def membership(self, info: Info) -> MembershipRow | None:
        if not isinstance(self.identity, Member):
            return None
        return await info.context.load(memberships_by_user, self.identity.user_id)

    @strawberry.field(
        description="Every workspace that the viewer can switch to.",
        graphql_type=list[Membership],
    )
    async def memberships(self) -> list[MembershipRow]:
        return await own_memberships(self.identity)

    @strawberry.field(description="Live ones, the latest used first.", graphql_type=list[Session])
    async def sessions(self) -> list[SessionRow]:
        return await own_sessions(self.identity)

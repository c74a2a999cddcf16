import strawberry

import core.viewer
from core.errors import Unauthenticated
from core.viewer import Identity
from resolvers.membership import (
    MAX_MEMBERSHIPS,
    MembershipRow,
    memberships_by_user,
    own_memberships,
)
from resolvers.session import MAX_SESSIONS, SessionRow, own_sessions
from resolvers.user import UserRow, own_users_by_id, users_by_id
from schema.context import Info
from schema.membership import Membership
from schema.session import Session
from schema.user import User


@strawberry.type(description="Whoever asks.")
class Viewer:
    identity: strawberry.Private[Identity]

    @strawberry.field(graphql_type=User)
    async def user(self, info: Info) -> UserRow:
        context, id = info.context, self.identity.user_id
        is_member = isinstance(self.identity, core.viewer.Viewer)
        row = await context.load(users_by_id, id) if is_member else None
        row = row or await context.load_own(own_users_by_id, id)
        if row is None:  # gone a moment ago
            raise Unauthenticated("Sign in again.")
        return row

    @strawberry.field(description="In the request's workspace.", graphql_type=Membership | None)
    async def membership(self, info: Info) -> MembershipRow | None:
        if not isinstance(self.identity, core.viewer.Viewer):
            return None
        return await info.context.load(memberships_by_user, self.identity.user_id)

    @strawberry.field(
        description=f"Workspaces to switch to, at most {MAX_MEMBERSHIPS}.",
        graphql_type=list[Membership],
    )
    async def memberships(self) -> list[MembershipRow]:
        return await own_memberships(self.identity)

    @strawberry.field(
        description=f"Live ones, the latest used first, at most {MAX_SESSIONS}.",
        graphql_type=list[Session],
    )
    async def sessions(self) -> list[SessionRow]:
        return await own_sessions(self.identity)

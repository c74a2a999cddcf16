from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from core.viewer import Viewer
from resolvers.access import sees_private
from resolvers.conversation import (
    RECENT,
    ConversationRow,
    conversation_counts_by_user,
    conversations_by_user,
)
from resolvers.membership import MembershipRow, memberships_by_user
from resolvers.paging import PageArguments, Slice
from schema.context import Info
from schema.node import Node
from schema.pagination import Connection, Paged

if TYPE_CHECKING:
    from schema.conversation import Conversation
    from schema.membership import Membership


@strawberry.type
class User(Node):
    username: str
    full_name: str | None
    is_active: bool
    is_superuser: bool
    created_at: datetime
    updated_at: datetime
    email: strawberry.Private[str | None]
    last_login_at: strawberry.Private[datetime | None]

    @strawberry.field(
        name="email", description="Null unless it is the viewer, or the viewer is an admin."
    )
    def visible_email(self, info: Info) -> str | None:
        return self.email if sees_private(info.context.identity, self.id) else None

    @strawberry.field(name="lastLoginAt", description="As email.")
    def visible_last_login_at(self, info: Info) -> datetime | None:
        return self.last_login_at if sees_private(info.context.identity, self.id) else None

    @strawberry.field(
        description="In the request's workspace.",
        graphql_type=Annotated["Membership", strawberry.lazy("schema.membership")] | None,
    )
    async def membership(self, info: Info) -> MembershipRow | None:
        if not isinstance(info.context.who, Viewer):
            return None
        return await info.context.load(memberships_by_user, self.id)

    @strawberry.field(
        description="Those that they take part in and the viewer may see.",
        graphql_type=Connection[Annotated["Conversation", strawberry.lazy("schema.conversation")]],
        extensions=[Paged()],
    )
    async def conversations(self, info: Info, arguments: PageArguments) -> Slice[ConversationRow]:
        load = info.context.load
        rows = await load(conversations_by_user, (self.id, arguments.page(RECENT)))
        return rows.counted(lambda: load(conversation_counts_by_user, self.id))

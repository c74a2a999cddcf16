from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import strawberry

from core.viewer import Viewer
from resolvers.access import sees_private
from resolvers.conversation import RECENT
from resolvers.conversation_list import conversation_counts_by_user, conversations_by_user
from resolvers.membership import memberships_by_user
from schema.context import Context, Info
from schema.loading import Loaded
from schema.node import Node
from schema.pagination import Connection, pages

if TYPE_CHECKING:
    from schema.conversation import Conversation
    from schema.membership import Membership


class InWorkspace(Loaded):
    """Nowhere, when the request names no workspace."""

    async def load(self, context: Context, keys: list[Any], arguments: dict[str, Any]) -> list[Any]:
        if not isinstance(context.who, Viewer):
            return [None] * len(keys)
        return await super().load(context, keys, arguments)


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

    membership: Annotated["Membership", strawberry.lazy("schema.membership")] | None = (
        strawberry.field(
            description="In the request's workspace.",
            extensions=[InWorkspace(memberships_by_user, "id")],
        )
    )
    conversations: Connection[Annotated["Conversation", strawberry.lazy("schema.conversation")]] = (
        pages(
            conversations_by_user,
            RECENT,
            conversation_counts_by_user,
            description="Those that they take part in and the viewer may see.",
        )
    )

import asyncio
from uuid import UUID

import strawberry

from core.errors import BadInput
from resolvers.audit_event import AuditEventRow, audit_events_by_id, list_audit_events
from resolvers.conversation import (
    ConversationOrder,
    ConversationRow,
    conversation_by_short_id,
    conversations_ahead,
    conversations_by_id,
)
from resolvers.conversation_list import list_conversations
from resolvers.document import DocumentRow, documents_by_id
from resolvers.document_search import list_documents
from resolvers.loading import NOTHING, Batch
from resolvers.lookahead import Ahead
from resolvers.membership import memberships_by_id
from resolvers.message import messages_by_id
from resolvers.message_search import MatchRow, search_messages
from resolvers.paging import PageArguments, Slice
from resolvers.session import own_sessions_by_id
from resolvers.tenant import TenantRow, tenants_by_id
from resolvers.user import UserRow, list_users, user_by_username, users_by_id
from schema.audit_event import AuditEvent, AuditFilter
from schema.context import Context, Info, no_workspace
from schema.conversation import Conversation, ConversationFilter
from schema.document import Document, DocumentFilter
from schema.lookahead import Single
from schema.message_search import MessageSearchConnection, Searched
from schema.node import Node, key_of, parse_global_id
from schema.pagination import Connection, Paged
from schema.tenant import Tenant
from schema.user import User
from schema.viewer import Viewer

MAX_NODES = 100

NODES: dict[str, Batch[UUID, object]] = {
    "AuditEvent": audit_events_by_id,
    "Conversation": conversations_by_id,
    "Document": documents_by_id,
    "Membership": memberships_by_id,
    "Message": messages_by_id,
    "Tenant": tenants_by_id,
    "User": users_by_id,
}


async def node(context: Context, id: str | None, only: str | None = None) -> object:
    """None for what is missing, not the viewer's, not an id, or not of the type `only`."""
    context.viewer  # noqa: B018 - before anything is told about the id
    parsed = parse_global_id(id) if id else None
    if parsed is None or only not in (None, parsed[0]):
        return None
    node_type, key = parsed
    if node_type == "Session":
        return await context.load_own(own_sessions_by_id, key)
    batch = NODES.get(node_type)
    return await context.load(batch, key) if batch else None


@strawberry.input(one_of=True)
class UserBy:
    id: strawberry.ID | None = strawberry.UNSET
    username: str | None = strawberry.UNSET


@strawberry.input(one_of=True)
class ConversationBy:
    id: strawberry.ID | None = strawberry.UNSET
    short_id: str | None = strawberry.UNSET


@strawberry.type
class Query:
    @strawberry.field(
        description="Null alike for what is missing, deleted, and not yours.",
        graphql_type=Node | None,
    )
    async def node(self, info: Info, id: strawberry.ID) -> object:
        return await node(info.context, id)

    @strawberry.field(
        description=f"As node, for at most {MAX_NODES} ids.", graphql_type=list[Node | None]
    )
    async def nodes(self, info: Info, ids: list[strawberry.ID]) -> list[object]:
        if len(ids) > MAX_NODES:
            raise BadInput(f"At most {MAX_NODES} ids.", ("ids",))
        return await asyncio.gather(*(node(info.context, id) for id in ids))

    @strawberry.field(description="Null when signed out.")
    async def viewer(self, info: Info) -> Viewer | None:
        context = info.context
        signed_out = context.who is None and context.refusal is None
        return None if signed_out else Viewer(identity=context.identity)

    @strawberry.field(description="The request's workspace.", graphql_type=Tenant)
    async def tenant(self, info: Info) -> TenantRow:
        row = await info.context.load(tenants_by_id, info.context.viewer.tenant_id)
        if row is None:  # gone a moment ago
            raise no_workspace()
        return row

    @strawberry.field(graphql_type=User | None)
    async def user(self, info: Info, by: UserBy) -> object:
        if by.username:
            return await user_by_username(info.context.viewer, by.username)
        return await node(info.context, by.id, only="User")

    @strawberry.field(
        description="Members of the workspace, by username.",
        graphql_type=Connection[User],
        extensions=[Paged()],
    )
    async def users(
        self, info: Info, arguments: PageArguments, search: str | None = None
    ) -> Slice[UserRow]:
        return await list_users(info.context.viewer, arguments, search)

    @strawberry.field(graphql_type=Conversation | None, extensions=[Single()])
    async def conversation(self, info: Info, by: ConversationBy, ahead: Ahead) -> object:
        context, viewer = info.context, info.context.viewer
        if by.short_id:
            return await conversation_by_short_id(viewer, by.short_id, ahead)
        match parse_global_id(by.id or ""):
            case ("Conversation", key):
                return await context.load(conversations_ahead, (key, ahead))
        return None, NOTHING

    @strawberry.field(
        description="Those that the viewer may see.",
        graphql_type=Connection[Conversation],
        extensions=[Paged()],
    )
    async def conversations(
        self,
        info: Info,
        arguments: PageArguments,
        filter: ConversationFilter | None = None,
        order_by: ConversationOrder | None = ConversationOrder.LAST_MESSAGE_AT_DESC,
    ) -> Slice[ConversationRow]:
        return await list_conversations(
            info.context.viewer,
            arguments,
            order_by or ConversationOrder.LAST_MESSAGE_AT_DESC,
            (filter or ConversationFilter()).keys(),
        )

    @strawberry.field(
        description="Messages that have all of the words, best first; of very many that do, the"
        " newest. Words in double quotes stand together, a minus before a word excludes it, or"
        " stands between alternatives. Where nothing has them, those that are near count.",
        graphql_type=MessageSearchConnection,
        extensions=[Searched()],
    )
    async def search_messages(
        self,
        info: Info,
        query: str,
        arguments: PageArguments,
        conversation_id: strawberry.ID | None = None,
    ) -> Slice[MatchRow]:
        conversation = key_of(conversation_id, "Conversation", "conversationId")
        return await search_messages(info.context.viewer, query, arguments, conversation)

    @strawberry.field(
        description="The workspace's, newest first; what is searched for, best first.",
        graphql_type=Connection[Document],
        extensions=[Paged()],
    )
    async def documents(
        self, info: Info, arguments: PageArguments, filter: DocumentFilter | None = None
    ) -> Slice[DocumentRow]:
        wanted = (filter or DocumentFilter()).keys()
        return await list_documents(info.context.viewer, arguments, wanted)

    @strawberry.field(
        description="What was done in the workspace, newest first. For admins.",
        graphql_type=Connection[AuditEvent],
        extensions=[Paged()],
    )
    async def audit_events(
        self, info: Info, arguments: PageArguments, filter: AuditFilter | None = None
    ) -> Slice[AuditEventRow]:
        viewer = info.context.viewer
        return await list_audit_events(viewer, arguments, (filter or AuditFilter()).keys())

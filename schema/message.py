from datetime import datetime
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import strawberry
from strawberry.scalars import JSON

from resolvers.conversation import ConversationRow, conversations_by_message
from resolvers.document import MAX_CITATIONS, DocumentRow, documents_by_message
from resolvers.message import MessageRole
from resolvers.user import UserRow, users_by_id
from schema.context import Info
from schema.document import Document
from schema.node import Node
from schema.user import User

if TYPE_CHECKING:
    from schema.conversation import Conversation

strawberry.enum(MessageRole)


@strawberry.type
class Message(Node):
    sequence: int = strawberry.field(description="1, 2, 3 … without gaps within the conversation.")
    role: MessageRole
    content: str = strawberry.field(description='"" once deleted.')
    token_count: int | None
    metadata: JSON
    created_at: datetime
    edited_at: datetime | None
    deleted_at: datetime | None
    conversation_id: strawberry.Private[UUID]
    author_id: strawberry.Private[UUID | None]

    @strawberry.field(
        graphql_type=Annotated["Conversation", strawberry.lazy("schema.conversation")]
    )
    async def conversation(self, info: Info) -> ConversationRow | None:
        return await info.context.load(conversations_by_message, self.conversation_id)

    @strawberry.field(
        description="Null for the assistant and the system.", graphql_type=User | None
    )
    async def author(self, info: Info) -> UserRow | None:
        return await info.context.load_one(users_by_id, self.author_id)

    @strawberry.field(
        description="Those that the viewer may see, in the stored order, of the first"
        f" {MAX_CITATIONS}.",
        graphql_type=list[Document],
    )
    async def used_documents(self, info: Info) -> list[DocumentRow]:
        if self.deleted_at is not None:
            return []
        return await info.context.load(documents_by_message, self.id)

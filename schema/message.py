from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import strawberry
from strawberry.scalars import JSON

from resolvers.conversation import conversations_by_message
from resolvers.document import MAX_CITATIONS, documents_by_message
from resolvers.message import MessageRole
from resolvers.user import users_by_id
from schema.context import Context
from schema.document import Document
from schema.loading import Loaded, loaded
from schema.node import Node
from schema.user import User

if TYPE_CHECKING:
    from schema.conversation import Conversation

strawberry.enum(MessageRole)


class Citations(Loaded):
    """None of a message that is deleted."""

    def keys(self, objects: Sequence[Any], arguments: dict[str, Any]) -> list[Any]:  # noqa: ARG002
        return [message.id if message.deleted_at is None else None for message in objects]

    def values(
        self,
        context: Context,  # noqa: ARG002
        objects: Sequence[Any],  # noqa: ARG002
        loaded: list[Any],
        arguments: dict[str, Any],  # noqa: ARG002
    ) -> list[Any]:
        return [[] if documents is None else documents for documents in loaded]


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

    conversation: Annotated["Conversation", strawberry.lazy("schema.conversation")] = loaded(
        conversations_by_message, "conversation_id"
    )
    author: User | None = loaded(
        users_by_id, "author_id", description="Null for the assistant and the system."
    )
    used_documents: list[Document] = strawberry.field(
        description="Those that the viewer may see, in the stored order, of the first"
        f" {MAX_CITATIONS}.",
        extensions=[Citations(documents_by_message, "id")],
    )

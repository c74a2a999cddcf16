from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import strawberry
from strawberry.types.field import StrawberryField

from execution.batched import Derived
from resolvers.conversation import ConversationOrder
from resolvers.conversation_list import ConversationFilter as Filter
from resolvers.loading import Batch
from resolvers.message import (
    BY_SEQUENCE,
    all_messages_by_conversation,
    deleted_message_counts_by_conversation,
    last_messages_by_conversation,
    messages_by_conversation,
)
from resolvers.message_change import Cursors
from resolvers.user import (
    BY_JOINING,
    participant_counts_by_conversation,
    participants_by_conversation,
    users_by_id,
)
from schema.context import Context
from schema.loading import loaded
from schema.message import Message
from schema.node import Node, key_of
from schema.pagination import Connection, Pages, argument, pages
from schema.user import User

strawberry.enum(ConversationOrder)


class Messages(Pages):
    """With deleted ones, if asked to; the others are counted in the conversation's row."""

    def __init__(self) -> None:
        super().__init__(
            messages_by_conversation, BY_SEQUENCE, deleted_message_counts_by_conversation
        )

    def apply(self, field: StrawberryField) -> None:
        super().apply(field)
        field.arguments = [*field.arguments, argument("include_deleted", bool | None, None, False)]

    def batch_of(self, arguments: dict[str, Any]) -> Batch[Any, Any]:
        deleted = arguments.get("include_deleted")
        return all_messages_by_conversation if deleted else messages_by_conversation

    async def count(self, context: Context, object: Any, arguments: dict[str, Any]) -> int:
        total: int = object.message_count
        if arguments.get("include_deleted"):
            total += await super().count(context, object, arguments)
        return total


class ChangeCursors(Derived):
    """Of the last changes to conversations' messages."""

    def values(self, objects: Sequence[Any]) -> list[Any]:
        return [Cursors(row.tenant_id, row.id).cursor(row.version) for row in objects]


@strawberry.type
class Conversation(Node):
    short_id: str = strawberry.field(description="For URLs.")
    title: str
    message_count: int = strawberry.field(description="Of messages that are not deleted.")
    cursor: str = strawberry.field(
        description="Go on after what was read here with `messageChanges(after:)`.",
        extensions=[ChangeCursors()],
    )
    unread_count: int = strawberry.field(description="Of the viewer.")
    last_message_at: datetime | None
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None
    owner_id: strawberry.Private[UUID | None]

    owner: User | None = loaded(users_by_id, "owner_id", description="Null when the user is gone.")
    participants: Connection[User] = pages(
        participants_by_conversation, BY_JOINING, participant_counts_by_conversation
    )
    messages: Connection[Message] = strawberry.field(
        description="By sequence.", extensions=[Messages()]
    )
    last_message: Message | None = loaded(last_messages_by_conversation, "id")


@strawberry.input
class ConversationFilter:
    owner_id: strawberry.ID | None = None
    participant_id: strawberry.ID | None = None
    title_contains: str | None = None
    has_unread: bool | None = None
    include_deleted: bool | None = False

    def keys(self) -> Filter:
        return Filter(
            owner_id=key_of(self.owner_id, "User", "filter", "ownerId"),
            participant_id=key_of(self.participant_id, "User", "filter", "participantId"),
            title_contains=self.title_contains,
            has_unread=self.has_unread,
            include_deleted=bool(self.include_deleted),
        )

from datetime import datetime
from uuid import UUID

import strawberry

from resolvers.conversation import ConversationFilter as Filter
from resolvers.conversation import ConversationOrder
from resolvers.message import (
    BY_SEQUENCE,
    MessageRow,
    all_messages_by_conversation,
    deleted_message_counts_by_conversation,
    last_messages_by_conversation,
    messages_by_conversation,
)
from resolvers.paging import PageArguments, Slice
from resolvers.user import (
    BY_JOINING,
    UserRow,
    participant_counts_by_conversation,
    participants_by_conversation,
    users_by_id,
)
from schema.context import Info
from schema.message import Message
from schema.node import Node, key_of
from schema.pagination import Connection, Paged
from schema.user import User

strawberry.enum(ConversationOrder)


@strawberry.type
class Conversation(Node):
    short_id: str = strawberry.field(description="For URLs.")
    title: str
    message_count: int = strawberry.field(description="Of messages that are not deleted.")
    unread_count: int = strawberry.field(description="Of the viewer.")
    last_message_at: datetime | None
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None
    owner_id: strawberry.Private[UUID | None]

    @strawberry.field(description="Null when the user is gone.", graphql_type=User | None)
    async def owner(self, info: Info) -> UserRow | None:
        return await info.context.load_one(users_by_id, self.owner_id)

    @strawberry.field(graphql_type=Connection[User], extensions=[Paged()])
    async def participants(self, info: Info, arguments: PageArguments) -> Slice[UserRow]:
        load = info.context.load
        rows = await load(participants_by_conversation, (self.id, arguments.page(BY_JOINING)))
        return rows.counted(lambda: load(participant_counts_by_conversation, self.id))

    @strawberry.field(
        description="By sequence.", graphql_type=Connection[Message], extensions=[Paged()]
    )
    async def messages(
        self, info: Info, arguments: PageArguments, include_deleted: bool | None = False
    ) -> Slice[MessageRow]:
        batch = all_messages_by_conversation if include_deleted else messages_by_conversation
        load, total = info.context.load, self.message_count
        rows = await load(batch, (self.id, arguments.page(BY_SEQUENCE)))

        async def count() -> int:
            if include_deleted:
                return total + await load(deleted_message_counts_by_conversation, self.id)
            return total

        return rows.counted(count)

    @strawberry.field(graphql_type=Message | None)
    async def last_message(self, info: Info) -> MessageRow | None:
        return await info.context.load(last_messages_by_conversation, self.id)


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

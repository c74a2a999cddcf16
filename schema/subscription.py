from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import TypeVar

import strawberry

from resolvers.conversation import ConversationRow
from resolvers.loading import NOTHING, Known
from resolvers.message_change import ChangeKind
from resolvers.message_change import MessageChange as Change
from schema.context import Context, Info
from schema.conversation import Conversation
from schema.message import Message
from schema.node import key_of

strawberry.enum(ChangeKind)
Event = TypeVar("Event")


@strawberry.type
class MessageChange:
    kind: ChangeKind
    cursor: str = strawberry.field(description="Go on after it with `after`.")
    message: Message


def nothing(_: object) -> Known:
    return NOTHING


async def each(
    context: Context,
    events: AsyncGenerator[Event, None],
    known_with: Callable[[Event], Known] = nothing,
) -> AsyncGenerator[Event, None]:
    """Each in a snapshot of its own, with loaders that have seen nothing older than the event. As
    whoever has subscribed: it ends when that changes."""
    turns = context.services.subscriptions.turns
    async with aclosing(events):
        async for event in events:
            await context.begin_reading(known_with(event), turns)
            try:
                yield event
            finally:
                await context.end_reading()


@strawberry.type
class Subscription:
    @strawberry.subscription(
        description="Every change to a conversation's messages, in commit order, none missing,"
        " none twice. With `after`, the cursor of a change, it begins with what happened since:"
        " a client that lost its connection passes the last one that it saw. A message that"
        " changed several times in between comes once, as it is now.",
        graphql_type=MessageChange,
    )
    def message_changes(
        self, info: Info, conversation_id: strawberry.ID, after: str | None = None
    ) -> AsyncGenerator[Change, None]:
        context = info.context
        viewer = context.viewer
        conversation = key_of(conversation_id, "Conversation", "conversationId")
        changes = context.services.subscriptions.message_changes(
            viewer, context.expires_at, conversation, after
        )
        return each(context, changes, lambda change: change.known)

    @strawberry.subscription(
        description="A conversation of the viewer's appeared, changed or got a message.",
        graphql_type=Conversation,
    )
    def inbox_changes(self, info: Info) -> AsyncGenerator[ConversationRow, None]:
        context = info.context
        changes = context.services.subscriptions.inbox_changes(context.viewer, context.expires_at)
        return each(context, changes)

import strawberry

from resolvers.conversation import ConversationRow
from resolvers.conversation_reading import mark_conversation_read
from resolvers.conversation_writing import (
    create_conversation,
    delete_conversation,
    rename_conversation,
    restore_conversation,
)
from resolvers.participant_management import add_participant, remove_participant
from schema.context import Info
from schema.conversation import Conversation
from schema.node import key_of, keys_of
from schema.payload import Mutates, Payload


@strawberry.input
class CreateConversationInput:
    title: str
    participant_ids: list[strawberry.ID] = strawberry.field(default_factory=list)
    idempotency_key: str | None = None


@strawberry.input
class RenameConversationInput:
    id: strawberry.ID
    title: str


@strawberry.input
class ConversationIdInput:
    id: strawberry.ID


@strawberry.input
class ParticipantInput:
    conversation_id: strawberry.ID
    user_id: strawberry.ID


@strawberry.input
class MarkConversationReadInput:
    id: strawberry.ID
    sequence: int | None = strawberry.field(
        default=None, description="All messages up to it; null: all."
    )


@strawberry.type
class ConversationPayload(Payload):
    conversation: ConversationRow | None = strawberry.field(
        graphql_type=Conversation | None, default=None
    )


@strawberry.type
class ConversationMutations:
    @strawberry.mutation(
        description="The viewer owns it and takes part, with other members. A request that is"
        " repeated with its `idempotencyKey` makes one conversation.",
        extensions=[Mutates(ConversationPayload)],
    )
    async def create_conversation(
        self, info: Info, input: CreateConversationInput
    ) -> ConversationPayload:
        people = keys_of(input.participant_ids, "User", "participantIds")
        conversation = await create_conversation(
            info.context.viewer, input.title, people, input.idempotency_key
        )
        return ConversationPayload(conversation=conversation)

    @strawberry.mutation(
        description="Of its owner and admins.", extensions=[Mutates(ConversationPayload)]
    )
    async def rename_conversation(
        self, info: Info, input: RenameConversationInput
    ) -> ConversationPayload:
        id = key_of(input.id, "Conversation", "id")
        conversation = await rename_conversation(info.context.viewer, id, input.title)
        return ConversationPayload(conversation=conversation)

    @strawberry.mutation(
        description="Of its owner and admins, who may restore it.",
        extensions=[Mutates(ConversationPayload)],
    )
    async def delete_conversation(
        self, info: Info, input: ConversationIdInput
    ) -> ConversationPayload:
        context = info.context
        id = key_of(input.id, "Conversation", "id")
        conversation = await delete_conversation(context.viewer, context.caller, id)
        return ConversationPayload(conversation=conversation)

    @strawberry.mutation(
        description="Of its owner and admins.", extensions=[Mutates(ConversationPayload)]
    )
    async def restore_conversation(
        self, info: Info, input: ConversationIdInput
    ) -> ConversationPayload:
        context = info.context
        id = key_of(input.id, "Conversation", "id")
        conversation = await restore_conversation(context.viewer, context.caller, id)
        return ConversationPayload(conversation=conversation)

    @strawberry.mutation(
        description="Of its owner and admins, for members. All is unread to who is new.",
        extensions=[Mutates(ConversationPayload)],
    )
    async def add_participant(self, info: Info, input: ParticipantInput) -> ConversationPayload:
        context = info.context
        id = key_of(input.conversation_id, "Conversation", "conversationId")
        user_id = key_of(input.user_id, "User", "userId")
        conversation = await add_participant(context.viewer, context.caller, id, user_id)
        return ConversationPayload(conversation=conversation)

    @strawberry.mutation(
        description="Of its owner and admins; or of oneself, who leaves, and gets null for a"
        " conversation that they do not see any more.",
        extensions=[Mutates(ConversationPayload)],
    )
    async def remove_participant(self, info: Info, input: ParticipantInput) -> ConversationPayload:
        context = info.context
        id = key_of(input.conversation_id, "Conversation", "conversationId")
        user_id = key_of(input.user_id, "User", "userId")
        conversation = await remove_participant(context.viewer, context.caller, id, user_id)
        return ConversationPayload(conversation=conversation)

    @strawberry.mutation(
        description="Of participants. What was read stays read.",
        extensions=[Mutates(ConversationPayload)],
    )
    async def mark_conversation_read(
        self, info: Info, input: MarkConversationReadInput
    ) -> ConversationPayload:
        id = key_of(input.id, "Conversation", "id")
        conversation = await mark_conversation_read(info.context.viewer, id, input.sequence)
        return ConversationPayload(conversation=conversation)

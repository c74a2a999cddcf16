import strawberry
from strawberry.scalars import JSON

from resolvers.message import MessageRole, MessageRow
from resolvers.message_editing import delete_message, edit_message, restore_message
from resolvers.message_sending import send_message
from resolvers.user import users_by_id
from schema.context import Info
from schema.message import Message
from schema.node import key_of, keys_of
from schema.payload import Mutates, Payload


@strawberry.input
class SendMessageInput:
    conversation_id: strawberry.ID
    content: str
    role: MessageRole = MessageRole.USER
    token_count: int | None = None
    used_document_ids: list[strawberry.ID] = strawberry.field(default_factory=list)
    metadata: JSON | None = None
    idempotency_key: str | None = None


@strawberry.input
class EditMessageInput:
    id: strawberry.ID
    content: str


@strawberry.input
class MessageIdInput:
    id: strawberry.ID


@strawberry.type
class MessagePayload(Payload):
    message: MessageRow | None = strawberry.field(
        description="As the change left it. Null when nothing was done.",
        graphql_type=Message | None,
        default=None,
    )


@strawberry.type
class MessageMutations:
    @strawberry.mutation(
        description="Of participants, as USER; of the conversation's owner and admins, as ASSISTANT"
        " or SYSTEM. A request that is repeated with its `idempotencyKey` sends one message.",
        extensions=[Mutates(MessagePayload)],
    )
    async def send_message(self, info: Info, input: SendMessageInput) -> MessagePayload:
        context = info.context
        viewer, limit = context.viewer, context.services.settings.limit_send
        await context.count(limit, "send", str(viewer.user_id))
        message = await send_message(
            viewer,
            key_of(input.conversation_id, "Conversation", "conversationId"),
            input.content,
            input.role,
            input.token_count,
            keys_of(input.used_document_ids, "Document", "usedDocumentIds"),
            input.metadata,
            input.idempotency_key,
        )
        return MessagePayload(message=message, known={users_by_id: message.authors})

    @strawberry.mutation(description="Of its author.", extensions=[Mutates(MessagePayload)])
    async def edit_message(self, info: Info, input: EditMessageInput) -> MessagePayload:
        id = key_of(input.id, "Message", "id")
        message = await edit_message(info.context.viewer, id, input.content)
        return MessagePayload(message=message)

    @strawberry.mutation(
        description="Of its author and admins, who may restore it. It keeps its place.",
        extensions=[Mutates(MessagePayload)],
    )
    async def delete_message(self, info: Info, input: MessageIdInput) -> MessagePayload:
        context = info.context
        id = key_of(input.id, "Message", "id")
        message = await delete_message(context.viewer, context.caller, id)
        return MessagePayload(message=message)

    @strawberry.mutation(
        description="Of its author and admins.", extensions=[Mutates(MessagePayload)]
    )
    async def restore_message(self, info: Info, input: MessageIdInput) -> MessagePayload:
        context = info.context
        id = key_of(input.id, "Message", "id")
        message = await restore_message(context.viewer, context.caller, id)
        return MessagePayload(message=message)

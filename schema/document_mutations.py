import strawberry
from strawberry.scalars import JSON

from resolvers.document import DocumentRow
from resolvers.document_writing import (
    create_document,
    delete_document,
    restore_document,
    update_document,
)
from schema.context import Info
from schema.document import Document
from schema.node import key_of
from schema.payload import Mutates, Payload, given


@strawberry.input
class CreateDocumentInput:
    filename: str
    content_type: str
    content: str
    metadata: JSON | None = None
    tags: list[str] = strawberry.field(default_factory=list)
    idempotency_key: str | None = strawberry.field(
        default=None, description="A retry with the same one gives the same document."
    )


@strawberry.input
class UpdateDocumentInput:
    id: strawberry.ID
    filename: str | None = strawberry.UNSET
    content: str | None = strawberry.UNSET
    metadata: JSON | None = strawberry.UNSET
    tags: list[str] | None = strawberry.UNSET


@strawberry.input
class DocumentIdInput:
    id: strawberry.ID


@strawberry.type
class DocumentPayload(Payload):
    document: DocumentRow | None = strawberry.field(graphql_type=Document | None, default=None)


@strawberry.type
class DocumentMutations:
    @strawberry.mutation(
        description="Of any member, who owns it.", extensions=[Mutates(DocumentPayload)]
    )
    async def create_document(self, info: Info, input: CreateDocumentInput) -> DocumentPayload:
        context = info.context
        values = {name: value for name, value in given(input).items() if value is not None}
        document = await create_document(context.services, context.viewer, **values)
        return DocumentPayload(document=document)

    @strawberry.mutation(
        description="Changes what is given. Of its owner, and admins.",
        extensions=[Mutates(DocumentPayload)],
    )
    async def update_document(self, info: Info, input: UpdateDocumentInput) -> DocumentPayload:
        context, changes = info.context, given(input)
        viewer, id = context.viewer, key_of(changes.pop("id"), "Document", "id")
        document = await update_document(context.services, viewer, id, **changes)
        return DocumentPayload(document=document)

    @strawberry.mutation(
        description="Of its owner, and admins, who may restore it.",
        extensions=[Mutates(DocumentPayload)],
    )
    async def delete_document(self, info: Info, input: DocumentIdInput) -> DocumentPayload:
        context = info.context
        viewer, id = context.viewer, key_of(input.id, "Document", "id")
        return DocumentPayload(document=await delete_document(viewer, context.caller, id))

    @strawberry.mutation(
        description="Of its owner, and admins.", extensions=[Mutates(DocumentPayload)]
    )
    async def restore_document(self, info: Info, input: DocumentIdInput) -> DocumentPayload:
        context = info.context
        viewer, id = context.viewer, key_of(input.id, "Document", "id")
        return DocumentPayload(document=await restore_document(viewer, context.caller, id))

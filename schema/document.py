from datetime import datetime
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import strawberry
from strawberry.scalars import JSON

from resolvers.document import contents_by_document
from resolvers.document_search import DocumentFilter as Filter
from resolvers.message import (
    NEWEST,
    message_counts_by_document,
    messages_by_document,
)
from resolvers.user import users_by_id
from schema.loading import loaded
from schema.node import Node, key_of
from schema.pagination import Connection, pages
from schema.user import User

if TYPE_CHECKING:
    from schema.message import Message


@strawberry.type
class Document(Node):
    filename: str
    content_type: str
    metadata: JSON
    tags: list[str]
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None
    size: int = strawberry.field(description="Bytes of content.")
    owner_id: strawberry.Private[UUID | None]

    content: str | None = loaded(contents_by_document, "id")
    owner: User | None = loaded(users_by_id, "owner_id")
    cited_by: Connection[Annotated["Message", strawberry.lazy("schema.message")]] = pages(
        messages_by_document,
        NEWEST,
        message_counts_by_document,
        description="Messages that used it, newest first, as far as the viewer sees them.",
    )


@strawberry.input
class DocumentFilter:
    search: str | None = strawberry.field(
        default=None,
        description="Words of filename and content, as in a web search; or nearly a filename.",
    )
    tags_all: list[str] | None = None
    tags_any: list[str] | None = None
    metadata_contains: JSON | None = None
    content_type: str | None = None
    owner_id: strawberry.ID | None = None
    include_deleted: bool | None = False

    def keys(self) -> Filter:
        return Filter(
            search=self.search,
            tags_all=self.tags_all,
            tags_any=self.tags_any,
            metadata_contains=self.metadata_contains,
            content_type=self.content_type,
            owner_id=key_of(self.owner_id, "User", "filter", "ownerId"),
            include_deleted=bool(self.include_deleted),
        )

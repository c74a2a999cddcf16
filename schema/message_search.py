import strawberry

from schema.message import Message
from schema.pagination import Paged, PageInfo


class Searched(Paged):
    """Forward only."""

    names = ("first", "after")
    projects = False  # edges read more of their row


@strawberry.type
class MessageSearchEdge:
    node: Message
    cursor: str
    score: float = strawberry.field(description="To compare with others of the same search.")
    snippet: str = strawberry.field(
        description="HTML: parts of the content, escaped, with the matched words in <mark>."
    )


@strawberry.type
class MessageSearchConnection:
    edges: list[MessageSearchEdge]
    nodes: list[Message]
    page_info: PageInfo

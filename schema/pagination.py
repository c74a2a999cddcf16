"""Relay's connections (relay.dev/graphql/connections.htm), read off `resolvers.paging.Slice`."""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, Generic, Self, TypeVar

import strawberry
from strawberry.annotation import StrawberryAnnotation
from strawberry.types.arguments import StrawberryArgument
from strawberry.types.field import StrawberryField

from execution.objects import Selection
from execution.position import Position
from resolvers.loading import Batch
from resolvers.lookahead import Ahead
from resolvers.order import Order
from resolvers.page_batch import PageBatch, PageBelow
from resolvers.paging import MAX_PAGE, Page, PageArguments, Slice
from schema.context import Context
from schema.loading import Loaded
from schema.lookahead import FindsAhead

T = TypeVar("T")


@strawberry.type
class PageInfo:
    has_next_page: bool
    has_previous_page: bool
    start_cursor: str | None
    end_cursor: str | None


@strawberry.type
class Edge(Generic[T]):
    node: T
    cursor: str


@strawberry.type
class Connection(Generic[T]):
    edges: list[Edge[T]]
    nodes: list[T]
    page_info: PageInfo
    count: strawberry.Private[Callable[[], Awaitable[int]]]

    @strawberry.field(description="Counted only when selected.")
    async def total_count(self) -> int:
        return await self.count()


TYPES = {"first": int, "after": str, "last": int, "before": str}
NAMES = tuple(TYPES)
DESCRIPTIONS = {
    "first": f"The first n rows, 1 to {MAX_PAGE}.",
    "after": "Only rows after this cursor.",
    "last": f"The last n rows, 1 to {MAX_PAGE}.",
    "before": "Only rows before this cursor.",
}


def argument(name: str, type: Any, description: str | None, default: Any) -> StrawberryArgument:
    return StrawberryArgument(
        python_name=name,
        graphql_name=None,
        type_annotation=StrawberryAnnotation(type),
        description=description,
        default=default,
    )


def page_arguments(names: tuple[str, ...] = NAMES) -> list[StrawberryArgument]:
    return [
        argument(name, TYPES[name] | None, DESCRIPTIONS[name], strawberry.UNSET) for name in names
    ]


ROWS = ("nodes", "node")
CURSORS = ("cursor", "startCursor", "endCursor")


def _nodes(connection: Position) -> Iterator[Selection]:
    """What is asked of a connection's rows, each time that they are asked for."""
    for selection in connection.selections:
        for field in selection.fields:
            if field.name in ROWS:
                yield from field.position.selections
            elif field.name == "edges":
                yield from _nodes(field.position)


def _asks_cursors(connection: Position) -> bool:
    return any(
        field.name in CURSORS or (field.name not in ROWS and _asks_cursors(field.position))
        for selection in connection.selections
        for field in selection.fields
    )


class FindsPages(FindsAhead):
    """Of a connection."""

    def rows(self, position: Position) -> Iterable[Selection]:
        return _nodes(position)

    def looking_ahead(self, position: Position) -> Self:
        found = super().looking_ahead(position)
        found.cursors = _asks_cursors(position)
        return found


class Paged(FindsPages):
    """Gives a connection its arguments; the resolver gets them as one: `arguments`."""

    names = NAMES

    def apply(self, field: StrawberryField) -> None:
        own = [argument for argument in field.arguments if argument.python_name != "arguments"]
        field.arguments = page_arguments(self.names) + own

    async def resolve_async(
        self, next_: Callable[..., Any], source: Any, info: strawberry.Info, **values: Any
    ) -> Any:
        context: Context = info.context
        asked: dict[str, Any] = {name: values.pop(name, None) for name in self.names}
        arguments = PageArguments(**asked, ahead=self.ahead(info))
        slice = await next_(source, info, arguments=arguments, **values)
        context.know(slice.known)
        return slice


class Pages(Loaded, FindsPages):
    """A page under each of many objects: those of a level are read together."""

    def __init__(self, batch: Batch[Any, Any], order: Order, counts: Batch[Any, int]) -> None:
        super().__init__(batch, "id")
        self.order = order
        self.counts = counts

    def apply(self, field: StrawberryField) -> None:
        field.arguments = page_arguments()

    def page(self, arguments: dict[str, Any]) -> Page:
        """Raises BadInput."""
        asked: dict[str, Any] = {name: arguments.get(name) for name in NAMES}
        ahead = Ahead(self.projection, cursors=self.cursors)
        return PageArguments(**asked, ahead=ahead).page(self.order)

    def below(self, arguments: dict[str, Any]) -> list[PageBelow]:
        batch = self.batch_of(arguments)
        return [PageBelow(batch, self.page(arguments))] if isinstance(batch, PageBatch) else []

    def keys(self, objects: Sequence[Any], arguments: dict[str, Any]) -> list[Any]:
        """Raises BadInput."""
        page = self.page(arguments)
        return [(key, page) for key in self.read(objects)]

    async def load(self, context: Context, keys: list[Any], arguments: dict[str, Any]) -> list[Any]:
        batch = self.batch_of(arguments)
        # To keep hundreds of rows for a second look takes as long as a batch.
        if len(keys) > 1 or not self.links:
            return await context.load_many(batch, keys)
        ((key, page),) = keys
        ahead = page._replace(ahead=Ahead(links=self.links))
        (slice,) = await context.load_many(batch, [(key, ahead)])
        if isinstance(slice, Slice):
            context.know(slice.known)
        return [slice]

    def batch_of(self, arguments: dict[str, Any]) -> Batch[Any, Any]:  # noqa: ARG002
        return self.batch

    def values(
        self,
        context: Context,
        objects: Sequence[Any],
        loaded: list[Any],
        arguments: dict[str, Any],
    ) -> list[Any]:
        for object, slice in zip(objects, loaded, strict=True):
            if isinstance(slice, Slice):
                slice.counted(partial(self.count, context, object, arguments))
        return loaded

    async def count(self, context: Context, object: Any, arguments: dict[str, Any]) -> int:  # noqa: ARG002
        total: int = await context.load(self.counts, object.id)
        return total


def pages(
    batch: Batch[Any, Any],
    order: Order,
    counts: Batch[Any, int],
    description: str | None = None,
) -> Any:
    """A connection that each of the type's objects has; `counts` count its rows by their ids."""
    return strawberry.field(description=description, extensions=[Pages(batch, order, counts)])

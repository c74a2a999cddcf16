"""Relay's connections (relay.dev/graphql/connections.htm), read off `resolvers.paging.Slice`."""

from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar

import strawberry
from strawberry.annotation import StrawberryAnnotation
from strawberry.extensions import FieldExtension
from strawberry.types.arguments import StrawberryArgument
from strawberry.types.field import StrawberryField

from resolvers.paging import MAX_PAGE, PageArguments

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


class Paged(FieldExtension):
    """Gives a connection its arguments; the resolver gets them as one: `arguments`."""

    names: tuple[str, ...] = PageArguments._fields

    def apply(self, field: StrawberryField) -> None:
        descriptions = {
            "first": f"The first n rows, 1 to {MAX_PAGE}.",
            "after": "Only rows after this cursor.",
            "last": f"The last n rows, 1 to {MAX_PAGE}.",
            "before": "Only rows before this cursor.",
        }
        types = {"first": int, "after": str, "last": int, "before": str}
        field.arguments = [
            StrawberryArgument(
                python_name=name,
                graphql_name=None,
                type_annotation=StrawberryAnnotation(types[name] | None),
                description=description,
                default=strawberry.UNSET,
            )
            for name, description in descriptions.items()
            if name in self.names
        ] + [argument for argument in field.arguments if argument.python_name != "arguments"]

    async def resolve_async(
        self, next_: Callable[..., Any], source: Any, info: strawberry.Info, **values: Any
    ) -> Any:
        arguments = PageArguments(**{name: values.pop(name, None) for name in self.names})
        return await next_(source, info, arguments=arguments, **values)

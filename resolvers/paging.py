"""Keyset pages: the rows after, or before, a row's sort key (use-the-index-luke.com/no-offset).

A statement to be paged ends in its WHERE conditions. Its first parameters are its own; those of
the page follow.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, Self
from uuid import UUID

from core.errors import BadInput
from resolvers.loading import Known
from resolvers.lookahead import NOTHING_AHEAD, Ahead, fetch_ahead
from resolvers.order import Order
from tables.engine import DB, Row, RowType

MAX_PAGE = 100


class Page(NamedTuple):
    """What is asked of a connection; hashed often, so that equal pages load together."""

    limit: int
    backward: bool = False
    after: tuple[object, ...] | None = None
    before: tuple[object, ...] | None = None
    ahead: Ahead = NOTHING_AHEAD

    def columns(self, order: Order) -> tuple[str, ...]:
        """That rows have beside their JSON."""
        return order.columns if self.ahead.cursors else ()


class PageArguments(NamedTuple):
    """The arguments of a connection, as the client gave them, and what is asked of its rows."""

    first: int | None = None
    after: str | None = None
    last: int | None = None
    before: str | None = None
    ahead: Ahead = NOTHING_AHEAD

    def page(self, order: Order) -> Page:
        """Raises BadInput unless one of first and last is given, in 1..100."""
        if (self.first is None) == (self.last is None):
            raise BadInput("Give one of first and last.", ("first",))
        name, limit = ("first", self.first) if self.last is None else ("last", self.last)
        if limit is None or not 1 <= limit <= MAX_PAGE:
            raise BadInput(f"{name} must be 1 to {MAX_PAGE}.", (name,))
        return Page(
            limit,
            backward=self.first is None,
            after=None if self.after is None else order.position(self.after, "after"),
            before=None if self.before is None else order.position(self.before, "before"),
            ahead=self.ahead,
        )


class Edge(Generic[RowType]):
    __slots__ = ("node", "order")

    def __init__(self, node: RowType, order: Order) -> None:
        self.node = node
        self.order = order

    @property
    def cursor(self) -> str:
        return self.order.cursor(self.node)


@dataclass(slots=True)
class Slice(Generic[RowType]):
    """A page of rows, with what Relay's connections tell about it."""

    nodes: list[RowType]
    order: Order
    page: Page
    has_more: bool
    known: Known
    """What the rows lead to, as far as it came with them."""

    count: Callable[[], Awaitable[int]] | None = None

    def counted(self, count: Callable[[], Awaitable[int]]) -> Self:
        """`count` runs when totalCount is selected."""
        self.count = count
        return self

    @property
    def edges(self) -> list[Edge[RowType]]:
        return [Edge(row, self.order) for row in self.nodes]

    @property
    def page_info(self) -> Self:
        return self

    # Opposite to the direction of paging, the row at the cursor is itself a further row.
    @property
    def has_next_page(self) -> bool:
        return self.page.before is not None if self.page.backward else self.has_more

    @property
    def has_previous_page(self) -> bool:
        return self.has_more if self.page.backward else self.page.after is not None

    @property
    def start_cursor(self) -> str | None:
        return self.order.cursor(self.nodes[0]) if self.nodes else None

    @property
    def end_cursor(self) -> str | None:
        return self.order.cursor(self.nodes[-1]) if self.nodes else None


def paged(sql: str, order: Order, page: Page, arguments: Sequence[object]) -> tuple[str, Any]:
    """The statement of one page, and its parameters. One row more tells whether there are more."""
    parameters = list(arguments)
    keys = ", ".join(key.sql for key in order.keys)
    for position, ahead in ((page.after, True), (page.before, False)):
        if position is not None:
            start = len(parameters) + 1
            parameters += position
            values = ", ".join(f"${n}::{key.type}" for n, key in enumerate(order.keys, start))
            sql += f" AND ({keys}) {'>' if ahead is not order.descending else '<'} ({values})"
    parameters.append(page.limit + 1)
    sort = order.sort(backward=page.backward)
    return f"{sql} ORDER BY {sort} LIMIT ${len(parameters)}", parameters


def sliced(rows: list[RowType], order: Order, page: Page, known: Known) -> Slice[RowType]:
    has_more = len(rows) > page.limit
    rows = rows[: page.limit]
    return Slice(rows[::-1] if page.backward else rows, order, page, has_more, known)


class CountRow(Row):
    id: UUID
    """Of what is counted, where several counts are read at once."""

    total: int


async def fetch_page(
    row: type[RowType], columns: str, source: str, order: Order, page: Page, *arguments: object
) -> Slice[RowType]:
    """A page of `SELECT columns source`, where `source` is FROM … WHERE …, and how to count it."""
    statement, parameters = paged(f"SELECT {columns} {source}", order, page, arguments)
    rows, known = await fetch_ahead(
        row, statement, page.ahead, parameters, page.columns(order), shown=page.limit
    )

    async def count() -> int:
        counted = await DB.fetch(CountRow, f"SELECT count(*) AS total {source}", *arguments)
        return counted[0].total

    return sliced(rows, order, page, known).counted(count)

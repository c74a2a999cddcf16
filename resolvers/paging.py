"""Keyset pages: the rows after, or before, a row's sort key (use-the-index-luke.com/no-offset).

A statement to be paged ends in its WHERE conditions. Its first parameters are its own; those of
the page follow. Cursors hold the sort key of their row, in clear: an order must not be by what
its reader may not know.
"""

import base64
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import groupby
from math import isfinite
from operator import itemgetter
from typing import Any, Generic, Literal, NamedTuple, Self
from uuid import UUID

import orjson

from core.errors import BadInput
from core.text import UNSTORABLE
from core.time import moment, since_epoch
from resolvers.loading import NOTHING, Known
from resolvers.lookahead import NO_LINKS, Links, fetch_ahead
from resolvers.projection import Projection, fetch_projected
from tables.engine import DB, Row, RowType

MAX_PAGE = 100


KeyType = Literal["timestamptz", "uuid", "int4", "float8", "text"]


class Key(NamedTuple):
    """A part of a sort key: its SQL, the column it comes back as, its type."""

    sql: str
    column: str
    type: KeyType


@dataclass(frozen=True, slots=True)
class Order:
    """A total order; the last key must be unique. All keys run in one direction, so that a row
    comparison serves."""

    name: str
    keys: tuple[Key, ...]
    descending: bool = False

    def sort(self, *, backward: bool) -> str:
        """For ORDER BY."""
        direction = "DESC" if self.descending is not backward else "ASC"
        return ", ".join(f"{key.sql} {direction}" for key in self.keys)

    def cursor(self, row: Any) -> str:
        values = [_to_json(getattr(row, key.column)) for key in self.keys]
        return base64.urlsafe_b64encode(orjson.dumps([self.name, *values])).decode()

    def position(self, cursor: str, argument: str) -> tuple[object, ...]:
        """The sort key in a cursor. Raises BadInput for one of another order."""
        try:
            packed = base64.b64decode(cursor, altchars=b"-_", validate=True)
            name, *values = orjson.loads(packed)
            if name != self.name:
                raise ValueError(name)
            return tuple(
                _from_json(value, key.type) for value, key in zip(values, self.keys, strict=True)
            )
        except (ValueError, TypeError, OverflowError) as error:
            raise BadInput("Not a cursor of this connection.", (argument,)) from error


def _to_json(value: object) -> object:
    if isinstance(value, datetime):
        return since_epoch(value)
    return str(value) if isinstance(value, UUID) else value


def _from_json(value: object, kind: str) -> object:
    match kind, value:
        case "timestamptz", int(microseconds):
            return moment(microseconds)
        case "uuid", str(text):
            return UUID(text)
        case "int4", int(number) if not isinstance(number, bool) and abs(number) < 2**31:
            return number
        case "float8", float(number) if isfinite(number):
            return number
        case "text", str(text) if not UNSTORABLE.search(text):
            return text
    raise ValueError(value)


class Page(NamedTuple):
    """What is asked of a connection; hashed often, so that equal pages load together. Its rows come
    as `projection` has them, or what they lead to by `ahead` comes with them."""

    limit: int
    backward: bool = False
    after: tuple[object, ...] | None = None
    before: tuple[object, ...] | None = None
    ahead: Links = NO_LINKS
    projection: Projection | None = None


class PageArguments(NamedTuple):
    """The arguments of a connection, as the client gave them, and what is asked of its rows."""

    first: int | None = None
    after: str | None = None
    last: int | None = None
    before: str | None = None
    ahead: Links = NO_LINKS
    projection: Projection | None = None

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
            projection=self.projection,
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
    """What the rows lead to, by the links of `page.ahead`."""

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


async def fetch_rows(
    row: type[RowType],
    statement: str,
    order: Order,
    page: Page,
    arguments: Sequence[object],
    kept: tuple[str, ...] = (),
) -> tuple[list[RowType], Known]:
    """Of a page's statement, with what else is asked of them. Where they come as JSON, they have
    their sort key and what is `kept` besides."""
    if page.projection is None:
        return await fetch_ahead(row, statement, page.ahead, *arguments)
    columns = (*kept, *(key.column for key in order.keys))
    return await fetch_projected(statement, columns, page.projection, arguments), NOTHING


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
    rows, known = await fetch_rows(row, statement, order, page, parameters)

    async def count() -> int:
        counted = await DB.fetch(CountRow, f"SELECT count(*) AS total {source}", *arguments)
        return counted[0].total

    return sliced(rows, order, page, known).counted(count)


async def fetch_pages(
    row: type[RowType],
    sql: str,
    order: Order,
    keys: Sequence[tuple[UUID, Page]],
    *arguments: object,
) -> list[Slice[RowType]]:
    """A page for each (parent id, page): one statement for all parents that ask the same page.
    `sql` names the parent `parent.id`; the last of its parameters is the array of parents."""
    return await fetch_paged(row, partial(paged, sql, order), order, keys, *arguments)


async def fetch_paged(
    row: type[RowType],
    page_of: Callable[[Page, Sequence[object]], tuple[str, Any]],
    order: Order,
    keys: Sequence[tuple[UUID, Page]],
    *arguments: object,
) -> list[Slice[RowType]]:
    """As `fetch_pages`; `page_of` makes a page's statement and its parameters."""
    found: dict[tuple[UUID, Page], list[RowType]] = {key: [] for key in keys}
    parents_by_page: dict[Page, list[UUID]] = {}
    for parent, page in keys:
        parents_by_page.setdefault(page, []).append(parent)
    known: dict[Page, Known] = {}
    for page, parents in parents_by_page.items():
        lateral, parameters = page_of(page, [*arguments, parents])
        rows, known[page] = await fetch_rows(
            row,
            f"SELECT parent.place, child.*"
            f" FROM unnest(${len(arguments) + 1}::uuid[]) WITH ORDINALITY AS parent (id, place)"
            f" CROSS JOIN LATERAL ({lateral}) AS child",
            order,
            page,
            parameters,
            kept=("place",),
        )
        for place, children in groupby(rows, key=itemgetter(0)):
            found[parents[place - 1], page] = list(children)
    return [sliced(found[key], order, key[1], known[key[1]]) for key in keys]

"""Pages under each of many parents: one statement for all parents that ask the same page."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import groupby
from operator import itemgetter
from typing import Any, Generic, NamedTuple
from uuid import UUID

from core.viewer import Viewer
from resolvers.loading import NOTHING, Known
from resolvers.lookahead import fetch_ahead
from resolvers.order import Order
from resolvers.paging import Page, Slice, paged, sliced
from resolvers.projection import Projection
from tables.engine import RowType


async def fetch_pages(
    row: type[RowType],
    sql: str,
    order: Order,
    keys: Sequence[tuple[UUID, Page]],
    *arguments: object,
) -> list[Slice[RowType]]:
    """A page for each (parent id, page). `sql` names the parent `parent.id`; the last of its
    parameters is the array of parents."""
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
        child, parameters = page_of(page, [*arguments, parents])
        rows, known[page] = await fetch_ahead(
            row,
            of_each(f"${len(arguments) + 1}::uuid[]", child),
            page.ahead,
            parameters,
            ("place", *page.columns(order)),
        )
        for place, children in by_place(rows):
            found[parents[place - 1], page] = children
    return [sliced(found[key], order, key[1], known[key[1]]) for key in keys]


def of_each(parents: str, child: str) -> str:
    """A statement of the rows of `child` under each of an array of ids, `parent.id` in it, with
    the place of the parent in the array, from 1 on."""
    return f"""SELECT parent.place, child.*
        FROM unnest({parents}) WITH ORDINALITY AS parent (id, place)
        CROSS JOIN LATERAL ({child}) AS child"""


def by_place(rows: Sequence[Any]) -> Iterator[tuple[int, list[Any]]]:
    """Place and rows of each parent that has some."""
    for place, children in groupby(rows, key=itemgetter(0)):
        yield place, list(children)


class PageBatch(Generic[RowType]):
    """A batch of pages: for each (parent id, page), the same for all who see the parent."""

    def __init__(self, row: type[RowType], sql: str, order: Order) -> None:
        """`sql` names the parent `parent.id`; its $1 is the tenant."""
        self.row, self.sql, self.order = row, sql, order

    async def __call__(
        self, viewer: Viewer, keys: Sequence[tuple[UUID, Page]]
    ) -> list[Slice[RowType]]:
        return await fetch_pages(self.row, self.sql, self.order, keys, viewer.tenant_id)


class PageBelow(NamedTuple):
    """A page of each row, to be found along with the rows; it has a projection."""

    batch: PageBatch[Any]
    page: Page

    @property
    def columns(self) -> tuple[str, ...]:
        return ("place", *self.page.columns(self.batch.order))

    @property
    def projection(self) -> Projection:
        assert self.page.ahead.projection
        return self.page.ahead.projection

    def statement(self, parents: str, parameters: Sequence[object]) -> tuple[str, list[object]]:
        child, more = paged(self.batch.sql, self.batch.order, self.page, parameters)
        return of_each(parents, child), more

    def found(
        self, parents: Sequence[UUID], rows: Sequence[Any]
    ) -> dict[tuple[UUID, Page], Slice[Any]]:
        """What the batch would find, by its keys."""
        children = {parents[place - 1]: found for place, found in by_place(rows)}
        return {
            (id, self.page): sliced(children.get(id, []), self.batch.order, self.page, NOTHING)
            for id in parents
        }

"""What rows lead to, found by the statement that finds the rows.

To ask a batch is a round trip. Where a plan follows links from the rows of a page, what these lead
to comes in the first row, as PostgreSQL's arrays of records; whoever asks the batch then finds it
known. So it is with pages that an operation begins with, and with those of a single object:
hundreds of rows, kept for a second look, cost as much as the round trip.
"""

from collections import namedtuple
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache, partial
from itertools import chain
from operator import attrgetter, itemgetter
from typing import Any, Generic, NamedTuple
from uuid import UUID

from core.viewer import Viewer
from resolvers.loading import NOTHING, Known, by_key
from tables.engine import DB, Row, RowType


class Lookup(Generic[RowType]):
    """A batch of rows by `key`, the same for all who see what leads to them."""

    def __init__(
        self,
        row: type[RowType],
        columns: str,
        select: Callable[[str, str], str],
        *,
        key: str = "id",
    ) -> None:
        """`select` makes a query of columns for the row of one key, an expression. Its $1 is the
        tenant. The columns' types must be of PostgreSQL's own: of others asyncpg knows only in
        columns how to read them, not in records."""
        self.row, self.key = row, key
        self.one: Callable[[str], str] = partial(select, columns)
        self._record = _record(row, columns)

    def select(self, keys: str) -> str:
        """A query of the columns, in their order, for an array of keys."""
        return f"""SELECT found.* FROM unnest({keys}) AS one (key)
            CROSS JOIN LATERAL ({self.one("one.key")}) AS found"""

    async def __call__(self, viewer: Viewer, keys: Sequence[UUID]) -> list[RowType | None]:
        return await self.of_tenant(viewer.tenant_id, keys)

    async def of_tenant(self, tenant_id: UUID, keys: Sequence[UUID]) -> list[RowType | None]:
        rows = await DB.fetch(self.row, self.select("$2::uuid[]"), tenant_id, keys)
        return by_key(rows, keys, self.key)

    def read(self, records: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Of an array of its rows: objects with their columns as attributes."""
        return list(map(self._record, records))


def _record(row: type[Row], columns: str) -> Callable[[Iterable[Any]], Any]:
    names = [column.split()[-1].rpartition(".")[2] for column in columns.split(",")]
    fields: Any = namedtuple(row.__name__, names)  # type: ignore[misc]  # noqa: PYI024
    record: Any = type(row.__name__, (fields,), {"__slots__": (), "node_type": row.node_type})
    make: Callable[[Iterable[Any]], Any] = record._make
    return make


class Link(NamedTuple):
    """From rows of `node_type`, whose `column` has the key."""

    node_type: str
    column: str
    lookup: Lookup[Any]


Links = frozenset[Link]
NO_LINKS: Links = frozenset()


async def fetch_ahead(
    row: type[RowType], statement: str, links: Links, *arguments: object
) -> tuple[list[RowType], Known]:
    """Rows, with ids, of a statement whose $1 is the tenant, and what `links` lead to, from them
    and from there. They must make no circle."""
    statement, ends = _extended(statement, row.node_type, links)
    rows = await DB.fetch(row, statement, *arguments)
    return rows, _known(rows, ends) if rows else NOTHING


class End(NamedTuple):
    """What links lead to: a common table expression."""

    name: str
    lookup: Lookup[Any]
    keys: Sequence[tuple[str, str]]
    """Expressions before it, with their columns."""

    @property
    def sql(self) -> str:
        keys = " UNION ALL ".join(
            f"SELECT one.{column} FROM (TABLE {name}) AS one" for name, column in self.keys
        )
        distinct = f"ARRAY(SELECT DISTINCT key FROM ({keys}) AS each (key))"
        return f"{self.name} AS MATERIALIZED ({self.lookup.select(distinct)})"


# The page comes as it was sorted: PostgreSQL reads an expression in its own order.
@lru_cache(256)
def _extended(statement: str, node_type: str, links: Links) -> tuple[str, Sequence[End]]:
    ends = ends_of(node_type, links)
    if not ends:
        return statement, ()
    expressions = ", ".join(end.sql for end in ends)
    arrays = ", ".join(
        "CASE page.id WHEN (SELECT id FROM page LIMIT 1) THEN"
        f" ARRAY(SELECT one FROM (TABLE {end.name}) AS one) END AS {end.name}"
        for end in ends
    )
    extended = f"""WITH page AS MATERIALIZED ({statement}), {expressions}
        SELECT page.*, {arrays} FROM page"""
    return extended, ends


def ends_of(node_type: str, links: Links) -> Sequence[End]:
    """Each after those that lead to it."""
    ordered = sorted(links, key=itemgetter(0, 1))  # one text for all processes
    lookups: dict[Lookup[Any], None] = {}

    def follow(node_type: str) -> None:
        for link in ordered:
            if link.node_type == node_type and link.lookup not in lookups:
                follow(link.lookup.row.node_type)
                lookups[link.lookup] = None

    follow(node_type)
    node_types = {"page": node_type}
    ends: list[End] = []
    for lookup in reversed(lookups):
        keys = [
            (name, link.column)
            for name, found in node_types.items()
            for link in ordered
            if link.lookup is lookup and link.node_type == found
        ]
        name = f"ahead_{len(ends)}"
        ends.append(End(name, lookup, keys))
        node_types[name] = lookup.row.node_type
    return ends


def _known(rows: Sequence[Row], ends: Sequence[End]) -> Known:
    found: dict[str, Sequence[Any]] = {"page": rows}
    known: dict[Any, dict[UUID, Any]] = {}
    for name, lookup, keys in ends:
        found[name] = lookup.read(rows[0][name])
        missing = dict.fromkeys(chain.from_iterable(_column(found, *key) for key in keys))
        known[lookup] = missing | {getattr(row, lookup.key): row for row in found[name]}
    return known


def _column(found: Mapping[str, Sequence[Any]], name: str, column: str) -> Iterable[UUID]:
    # Rows are read by key several times as fast as by attribute.
    return map((itemgetter if name == "page" else attrgetter)(column), found[name])

"""What a plan asks of rows, and of what they lead to, found by the statement that finds the rows.

To ask a batch is a round trip, and to make objects of rows takes longer than to find them. Where
columns have all that is asked of rows, they come as JSON. If not, the first row brings what links
lead to, as PostgreSQL's arrays of records, and pages below, as arrays of JSON; whoever asks the
batch then finds it known. Rows that an operation begins with bring both, pages of a single object
what links lead to: hundreds of rows, kept for a second look, cost as much as the round trip.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import chain
from operator import attrgetter, itemgetter
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from resolvers.loading import NOTHING, Batch, Known
from resolvers.lookup import Lookup
from resolvers.projection import Projection, as_json, rows_of
from tables.engine import DB, Row, RowType


class Link(NamedTuple):
    """From rows of `node_type`, whose `column` has the key."""

    node_type: str
    column: str
    lookup: Lookup[Any]


Links = frozenset[Link]
NO_LINKS: Links = frozenset()


class Below(Protocol):
    """A page of each row; see resolvers/page_batch.py, which needs this module."""

    @property
    def batch(self) -> Batch[Any, Any]: ...
    @property
    def columns(self) -> tuple[str, ...]: ...
    @property
    def projection(self) -> Projection: ...
    def statement(self, parents: str, parameters: Any) -> tuple[str, Any]: ...
    def found(self, parents: Sequence[UUID], rows: Sequence[Any]) -> dict[Any, Any]: ...


class Ahead(NamedTuple):
    """What is asked of rows: a projection, or what comes along with rows that have an `id`."""

    projection: Projection | None = None
    links: Links = NO_LINKS
    """They must make no circle."""

    pages: tuple[Below, ...] = ()
    is_all: bool = False
    """Whether the operation asks for nothing else."""

    cursors: bool = True
    """Whether they are asked of the rows."""


NOTHING_AHEAD = Ahead()

MAX_STATEMENT = 15_000
"""Characters. asyncpg keeps none that is longer than 15 KiB: each time it would be planned anew."""


async def fetch_ahead(
    row: type[RowType],
    statement: str,
    ahead: Ahead,
    arguments: Sequence[object],
    columns: tuple[str, ...] = ("id",),
    *,
    shown: int = 1,
) -> tuple[list[RowType], Known]:
    """Rows of a statement whose $1 is the tenant. As JSON they have these columns besides, first,
    and as attributes. Pages below come along for the first that are `shown`."""
    if ahead.projection:
        # One row comes at once; of many PostgreSQL sends 8 KiB at a time, and we wake up for each.
        json = as_json(statement, columns, ahead.projection)
        if len(json) <= MAX_STATEMENT:
            (arrays,) = await DB.fetch(Row, json, *arguments, alone=ahead.is_all)
            projected: list[Any] = rows_of(arrays, columns)
            return projected, NOTHING
    for pages in (ahead.pages, ()):
        below, parameters = _below(pages, arguments, shown)
        extended, ends = _extended(statement, row.node_type, ahead.links, below)
        if len(extended) <= MAX_STATEMENT:
            break
    alone = ahead.is_all and ahead.projection is None and pages == ahead.pages
    rows = await DB.fetch(row, extended, *parameters, alone=alone)
    return rows, _known(rows, ends, pages, shown) if rows else NOTHING


Json = tuple[str, tuple[str, ...]]
"""A statement of one row of arrays, and its columns without `json`."""


def _below(
    pages: Sequence[Below], arguments: Sequence[object], shown: int
) -> tuple[tuple[Json, ...], Sequence[object]]:
    """Of the first rows of `page` that are shown; and the parameters of all."""
    if not pages:
        return (), arguments
    statements: list[Json] = []
    parameters: Any = [*arguments, shown]
    parents = f"ARRAY(SELECT id FROM page LIMIT ${len(parameters)})"
    for page in pages:
        child, parameters = page.statement(parents, parameters)
        statements.append((as_json(child, page.columns, page.projection), page.columns))
    return tuple(statements), parameters


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
def _extended(
    statement: str, node_type: str, links: Links, pages: Sequence[Json]
) -> tuple[str, Sequence[End]]:
    ends = ends_of(node_type, links)
    if not ends and not pages:
        return statement, ()
    expressions = "".join(f", {end.sql}" for end in ends)
    first = "(SELECT id FROM page LIMIT 1)"
    arrays = "".join(
        f", CASE page.id WHEN {first} THEN"
        f" ARRAY(SELECT one FROM (TABLE {end.name}) AS one) END AS {end.name}"
        for end in ends
    )
    below = "".join(f", below_{n}.*" for n in range(len(pages)))
    # What is large is read once: as a join by itself it is looked at for each row. OFFSET keeps
    # PostgreSQL from making one of it.
    expressions += "".join(
        f", page_{n} ({', '.join(_names(n, columns))}) AS MATERIALIZED ({json})"
        for n, (json, columns) in enumerate(pages)
    )
    joins = "".join(
        f""" LEFT JOIN LATERAL (
            SELECT * FROM page_{n} WHERE page.id = {first} OFFSET 0) AS below_{n} ON TRUE"""
        for n in range(len(pages))
    )
    extended = f"""WITH page AS MATERIALIZED ({statement}){expressions}
        SELECT page.*{arrays}{below} FROM page{joins}"""
    return extended, ends


def _names(number: int, columns: Sequence[str]) -> list[str]:
    return [f"below_{number}_{column}" for column in (*columns, "json")]


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


def _known(rows: Sequence[Row], ends: Sequence[End], pages: Sequence[Below], shown: int) -> Known:
    found: dict[str, Sequence[Any]] = {"page": rows}
    known: dict[Any, dict[Any, Any]] = {}
    for name, lookup, keys in ends:
        found[name] = lookup.read(rows[0][name])
        missing = dict.fromkeys(chain.from_iterable(_column(found, *key) for key in keys))
        known[lookup] = missing | {getattr(row, lookup.key): row for row in found[name]}
    ids = [row["id"] for row in rows[:shown]]
    for n, page in enumerate(pages):
        below = rows_of(rows[0], page.columns, f"below_{n}_")
        known.setdefault(page.batch, {}).update(page.found(ids, below))
    return known


def _column(found: Mapping[str, Sequence[Any]], name: str, column: str) -> Iterable[UUID]:
    # Rows are read by key several times as fast as by attribute.
    return map((itemgetter if name == "page" else attrgetter)(column), found[name])

"""What rows lead to, found by the statement that finds the rows.

To ask a batch is a round trip. Where a plan tells beforehand which references will be followed,
what they lead to comes in the first row, as PostgreSQL's arrays of records; whoever asks the batch
then finds it known. So it is with pages that an operation begins with, and with those of a single
object: hundreds of rows, kept for a second look, cost as much as the round trip.
"""

from collections import namedtuple
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
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
        select: Callable[[str], str],
        *,
        key: str = "id",
    ) -> None:
        """`select` makes a query of `columns` for an array of keys. Its $1 is the tenant."""
        self.row, self.select, self.key = row, select, key
        self._record = _record(row, columns)

    async def __call__(self, viewer: Viewer, keys: Sequence[UUID]) -> list[RowType | None]:
        return await self.of_tenant(viewer.tenant_id, keys)

    async def of_tenant(self, tenant_id: UUID, keys: Sequence[UUID]) -> list[RowType | None]:
        rows = await DB.fetch(self.row, self.select("$2::uuid[]"), tenant_id, keys)
        return by_key(rows, keys, self.key)

    def read(self, records: Iterable[tuple[Any, ...]] | None) -> list[Any]:
        """Of an array_agg of its rows: objects with the same attributes."""
        return list(map(self._record, records or ()))


def _record(row: type[Row], columns: str) -> Callable[[Iterable[Any]], Any]:
    names = [column.split()[-1].rpartition(".")[2] for column in columns.split(",")]
    fields: Any = namedtuple(row.__name__, names)  # type: ignore[misc]  # noqa: PYI024
    record: Any = type(row.__name__, (fields,), {"__slots__": (), "node_type": row.node_type})
    make: Callable[[Iterable[Any]], Any] = record._make
    return make


class Reference(NamedTuple):
    """From rows of `node_type`, whose `column` has the key."""

    node_type: str
    column: str
    lookup: Lookup[Any]


References = frozenset[Reference]
NO_REFERENCES: References = frozenset()


async def fetch_ahead(
    row: type[RowType], statement: str, references: References, *arguments: object
) -> tuple[list[RowType], Known]:
    """Rows, with ids, of a statement whose $1 is the tenant, and what `references` lead to, from
    them and from there. They must make no circle."""
    statement, referenced = _extended(statement, row.node_type, references)
    rows = await DB.fetch(row, statement, *arguments)
    return rows, _known(rows, referenced) if rows else NOTHING


class Referenced(NamedTuple):
    """A common table expression: what references lead to."""

    name: str
    lookup: Lookup[Any]
    keys: Sequence[tuple[str, str]]
    """Expressions before it, with their columns."""

    @property
    def sql(self) -> str:
        keys = " UNION ".join(
            f"SELECT DISTINCT one.{column} FROM (TABLE {name}) AS one" for name, column in self.keys
        )
        return f"{self.name} AS MATERIALIZED ({self.lookup.select(f'ARRAY({keys})')})"


@lru_cache(256)
def _extended(
    statement: str, node_type: str, references: References
) -> tuple[str, Sequence[Referenced]]:
    referenced = _referenced(node_type, references)
    if not referenced:
        return statement, ()
    expressions = ", ".join(each.sql for each in referenced)
    arrays = ", ".join(
        "CASE page.id WHEN (SELECT id FROM page LIMIT 1) THEN"
        f" (SELECT array_agg(one) FROM (TABLE {each.name}) AS one) END AS {each.name}"
        for each in referenced
    )
    extended = f"""WITH page AS MATERIALIZED ({statement}), {expressions}
        SELECT page.*, {arrays} FROM page"""
    return extended, referenced


def _referenced(node_type: str, references: References) -> Sequence[Referenced]:
    ordered = sorted(references, key=itemgetter(0, 1))  # one text for all processes
    lookups: dict[Lookup[Any], None] = {}

    def follow(node_type: str) -> None:
        for reference in ordered:
            if reference.node_type == node_type and reference.lookup not in lookups:
                follow(reference.lookup.row.node_type)
                lookups[reference.lookup] = None

    follow(node_type)
    node_types = {"page": node_type}
    referenced: list[Referenced] = []
    for lookup in reversed(lookups):
        keys = [
            (name, reference.column)
            for name, found in node_types.items()
            for reference in ordered
            if reference.lookup is lookup and reference.node_type == found
        ]
        name = f"ahead_{len(referenced)}"
        referenced.append(Referenced(name, lookup, keys))
        node_types[name] = lookup.row.node_type
    return referenced


def _known(rows: Sequence[Row], referenced: Sequence[Referenced]) -> Known:
    found: dict[str, Sequence[Any]] = {"page": rows}
    known: dict[Any, dict[UUID, Any]] = {}
    for name, lookup, keys in referenced:
        found[name] = lookup.read(rows[0][name])
        missing = dict.fromkeys(chain.from_iterable(_column(found, *key) for key in keys))
        known[lookup] = missing | {getattr(row, lookup.key): row for row in found[name]}
    return known


def _column(found: Mapping[str, Sequence[Any]], name: str, column: str) -> Iterable[UUID]:
    # Rows are read by key several times as fast as by attribute.
    return map((itemgetter if name == "page" else attrgetter)(column), found[name])

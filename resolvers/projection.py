"""What is asked of rows, written as JSON by the statement that finds them.

A row that becomes objects of Python, a dictionary and JSON takes several times as long here as
PostgreSQL takes to write it. What is written holds for all who see the row: columns, and what
`Lookup`s find. It is the same to the byte as what a plan writes of the row itself.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from operator import attrgetter
from typing import Any, Literal, NamedTuple

from orjson import Fragment

from resolvers.lookup import Lookup
from tables.engine import Row
from tables.row import tuples

Kind = Literal["text", "number", "moment", "id"]
"""Of a column: numbers are integers and booleans; an id is a UUID, with the name of its type."""

SQL: dict[Kind, str] = {
    "text": "to_json({column})",
    "number": "{column}::text",
    # As isoformat writes it: microseconds, or nothing.
    "moment": """'"' || replace(to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'),
        '.000000', '') || '+00:00"'""",
    # Of base64 PostgreSQL writes 76 characters in a line: of a type's name, 20 fit in one.
    "id": """'"' || encode(convert_to('{type}:' || {column}, 'UTF8'), 'base64') || '"'""",
}


class Column(NamedTuple):
    name: str
    kind: Kind
    nullable: bool


class Linked(NamedTuple):
    """What `lookup` has for a column, or null."""

    column: str
    lookup: Lookup[Any]
    projection: "Projection"


@dataclass(frozen=True, eq=False, slots=True)
class Projection:
    type: str
    members: tuple[tuple[str, Column | Linked | None], ...]
    """By the keys of the response, which are names of GraphQL. None is the type's name."""


@lru_cache(256)
def projection(type: str, members: tuple[tuple[str, Column | Linked | None], ...]) -> Projection:
    """The same one for what is equal: pages that have it are hashed and compared often."""
    return Projection(type, members)


@lru_cache(256)
def as_json(statement: str, columns: tuple[str, ...], projection: Projection) -> str:
    """A statement of one row, with arrays of these columns and of `json`; null of no rows."""
    joins: Joins = {}
    json = _object(projection, "page", joins)
    arrays = "".join(f"array_agg(page.{column}) AS {column}, " for column in columns)
    return f"""SELECT {arrays}array_agg(convert_to({json}, 'UTF8')) AS json
        FROM ({statement}) AS page
        {" ".join(f"LEFT JOIN LATERAL ({one}) AS {name} ON TRUE" for one, name in joins.items())}"""


def rows_of(arrays: Row, columns: tuple[str, ...], prefix: str = "") -> list[Any]:
    """In the order of the statement, with the columns in theirs, and as attributes. A plan takes
    such a row for its answer. Raises TypeError for a null where none may be."""
    json = arrays[f"{prefix}json"]
    if json is None:
        return []
    if None in json:
        raise TypeError("Cannot return null for a non-nullable field of a row.")
    values = [arrays[f"{prefix}{column}"] for column in columns]
    return list(map(_projected(columns), zip(*values, json, strict=True)))


@cache
def _projected(columns: tuple[str, ...]) -> Callable[[Any], Any]:
    return tuples("Projected", (*columns, "json"), written_answers=_answers)


def _answers(rows: Iterable[Any]) -> list[Any]:
    """For execution/objects.py."""
    return list(map(Fragment, map(attrgetter("json"), rows)))


Joins = dict[str, str]
"""Names of what is looked up, by its statement."""


def _object(projection: Projection, row: str, joins: Joins) -> str:
    """An expression, of a row and of those that are joined to it. Null if one of its values is."""
    parts: list[str] = []
    for key, member in projection.members:
        name = f"""'{"," if parts else "{"}"{key}":'"""
        parts += [name, _value(projection.type, member, row, joins)]
    return _concatenated([*parts, "'}'"] if parts else ["'{}'"])


def _concatenated(parts: Sequence[str]) -> str:
    """By halves: from left to right each would be copied as often as parts follow it."""
    if len(parts) == 1:
        return parts[0]
    half = len(parts) // 2
    return f"({_concatenated(parts[:half])} || {_concatenated(parts[half:])})"


def _value(type: str, member: Column | Linked | None, row: str, joins: Joins) -> str:
    match member:
        case None:
            return f"""'"{type}"'"""
        case Column(name, kind, nullable):
            value = SQL[kind].format(column=f"{row}.{name}", type=type)
            return f"coalesce({value}, 'null')" if nullable else value
        case Linked(column, lookup, linked):
            # Looked up once for each value, however many rows have it: PostgreSQL memoizes.
            name = joins.setdefault(lookup.one(f"{row}.{column}"), f"link_{len(joins)}")
            json = _object(linked, name, joins)
            return f"CASE WHEN {name}.{lookup.key} IS NULL THEN 'null' ELSE {json} END"

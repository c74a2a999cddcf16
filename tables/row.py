"""What comes back: rows, and the JSON in them."""

import json
from collections import namedtuple
from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from uuid import UUID

import asyncpg
import orjson


class Row(asyncpg.Record):
    """A row as it came, read by attribute. Each noun has its own subclass, annotated with the
    columns that its statements select."""

    node_type = ""  # of those that are nodes of the graph

    is_keyed = True  # for execution/reading.py

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


class IdRow(Row):
    id: UUID


RowType = TypeVar("RowType", bound=Row)


def tuples(name: str, columns: Sequence[str], **attributes: object) -> Callable[[Any], Any]:
    """What makes a row that came inside of another of its values: a tuple, with the columns as
    attributes, and with these of its class."""
    fields: Any = namedtuple(name, columns)  # type: ignore[misc]  # noqa: PYI024
    cls: Any = type(name, (fields,), {"__slots__": (), **attributes})
    make: Callable[[Any], Any] = cls._make
    return make


async def read_json_of(connection: Any) -> None:
    await connection.set_type_codec(
        "jsonb",
        schema="pg_catalog",
        encoder=_write_json,
        decoder=_read_json,
        format="binary",  # which is what it has in a record
    )


_VERSION = b"\x01"
"""Of PostgreSQL's binary format, in front of the text."""

_NOTHING = _VERSION + b"{}"


def _write_json(value: Any) -> bytes:
    # Piccolo hands JSON over as text already.
    return _VERSION + (value.encode() if isinstance(value, str) else orjson.dumps(value))


def _read_json(data: bytes) -> Any:
    """PostgreSQL's numbers have no limit: one beyond a double is infinite, not unreadable."""
    if data == _NOTHING:  # as in almost every row
        return {}
    text = data[1:]
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return json.loads(text, parse_int=_integer)


def _integer(digits: str) -> int | float:
    """As orjson: exact where 64 bits hold it."""
    if len(digits) <= len(str(-(2**63))) and -(2**63) <= int(digits) < 2**64:
        return int(digits)
    return float(digits)

"""What comes back: rows, and the JSON in them."""

import json
from typing import Any, TypeVar
from uuid import UUID

import asyncpg
import orjson


class Row(asyncpg.Record):
    """A row as it came, read by attribute. Each noun has its own subclass, annotated with the
    columns that its statements select."""

    is_keyed = True  # for execution/reading.py

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


class IdRow(Row):
    id: UUID


RowType = TypeVar("RowType", bound=Row)


async def read_json_of(connection: Any) -> None:
    await connection.set_type_codec(
        "jsonb",
        schema="pg_catalog",
        # Piccolo hands JSON over as text already.
        encoder=lambda value: value if isinstance(value, str) else orjson.dumps(value).decode(),
        decoder=_read_json,
    )


def _read_json(text: str) -> Any:
    """PostgreSQL's numbers have no limit: one beyond a double is infinite, not unreadable."""
    if text == "{}":  # as in almost every row
        return {}
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return json.loads(text, parse_int=_integer)


def _integer(digits: str) -> int | float:
    """As orjson: exact where 64 bits hold it."""
    if len(digits) <= len(str(-(2**63))) and -(2**63) <= int(digits) < 2**64:
        return int(digits)
    return float(digits)

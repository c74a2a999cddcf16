"""Sort keys and the cursors that hold them, in clear: an order must not be by what its reader may
not know."""

import base64
from dataclasses import dataclass
from datetime import datetime
from math import isfinite
from typing import Any, Literal, NamedTuple
from uuid import UUID

import orjson

from core.errors import BadInput
from core.text import UNSTORABLE
from core.time import moment, since_epoch

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

    @property
    def columns(self) -> tuple[str, ...]:
        """Of its keys."""
        return tuple(key.column for key in self.keys)

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

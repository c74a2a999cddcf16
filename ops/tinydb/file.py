"""Reads a TinyDB file: one JSON object of tables, each an object of rows by document id."""

import json
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from ops.failure import Failure

TABLES = ("users", "documents", "conversations", "messages", "sessions")
Row = tuple[str, object]
"""Document id and what stands there: any JSON value."""

MAX_DIGITS = 400
"""An integer with more is infinite, as a float of that size is: int() refuses 4,300 digits."""


class CannotImport(Failure):
    """Ends an import with nothing written to the database."""


class Repeating(dict[str, object]):
    """An object that names a key more than once. As a dict it has the last value of each, which
    is all that TinyDB would see."""

    def __init__(self, pairs: list[tuple[str, object]]) -> None:
        super().__init__(pairs)
        self.pairs = pairs


@dataclass(frozen=True)
class File:
    tables: dict[str, list[Row]]
    """Rows in file order. A table, or a document id, that stands twice loses nothing here."""

    left_out: dict[str, int]
    """Rows of tables that are not ours."""


def read_file(file: Path) -> File:
    """Raises CannotImport for whatever is not a TinyDB file with a table of ours."""
    root = _parse(file, _read(file))
    if not isinstance(root, dict):
        raise CannotImport(f"{file} is not a TinyDB file: its root is not an object of tables")
    tables: dict[str, list[Row]] = defaultdict(list)
    left_out: dict[str, int] = {}
    for name, table in _pairs(root):
        if name not in TABLES:
            left_out[name] = left_out.get(name, 0) + (len(table) if isinstance(table, dict) else 1)
        elif isinstance(table, dict):
            tables[name] += _pairs(table)
        else:
            raise CannotImport(f"{file} is not a TinyDB file: {name} is not an object of rows")
    if not tables:
        raise CannotImport(f"{file} has none of the tables {', '.join(TABLES)}")
    return File(dict(tables), left_out)


def _read(file: Path) -> str:
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise CannotImport(f"cannot read {file}: {error.strerror}") from error
    except ValueError as error:  # also of a path with a NUL
        raise CannotImport(f"{file} is not UTF-8 text: {error}") from error
    if not text.strip():
        raise CannotImport(f"{file} is empty")
    return text


def _parse(file: Path, text: str) -> object:
    try:
        # Not strict: a raw control character in one string is no reason to refuse all others.
        return json.loads(text, strict=False, object_pairs_hook=_object, parse_int=_integer)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise CannotImport(f"{file} is damaged, or no JSON: {error.msg} at {where}") from error
    except RecursionError as error:
        raise CannotImport(f"{file} is not a TinyDB file: it is nested too deeply") from error


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    value = dict(pairs)
    return value if len(value) == len(pairs) else Repeating(pairs)


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= MAX_DIGITS else float(digits)


def _pairs(value: dict[str, object]) -> list[tuple[str, object]]:
    return value.pairs if isinstance(value, Repeating) else list(value.items())

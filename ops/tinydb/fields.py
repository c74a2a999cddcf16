"""The fields of one row: each is read, mended with a note, or the end of its row."""

import re
from reprlib import Repr

import orjson

from ops.tinydb.file import Repeating
from ops.tinydb.findings import Rejected
from ops.tinydb.values import UNSTORABLE, microseconds, storable_json, storable_text

MAX_KEY = 200
"""Characters of a natural key: an index entry has its limit."""

MAX_INTEGER = 2**31 - 1
_DIGITS = re.compile(r"[0-9]{1,10}")
_short = Repr()
_short.maxstring = _short.maxother = _short.maxlong = 60

Note = tuple[str, str]


def shown(value: object) -> str:
    return "missing" if value is None else _short.repr(value)


class Fields:
    """Of a JSON value that should be an object. Notes are (code, reason)."""

    __slots__ = ("notes", "row", "table")

    def __init__(self, table: str, row: object) -> None:
        if not isinstance(row, dict):
            raise Rejected(f"{table}_not_an_object", f"the row is {shown(row)}, not an object")
        self.table = table
        self.row: dict[str, object] = row
        self.notes: list[Note] = []
        if isinstance(row, Repeating):
            self.note("row", "of a field that stands twice the last value counts")

    def note(self, field: str, reason: str) -> None:
        self.notes.append((f"{self.table}.{field}", reason))

    def key(self, name: str, code: str) -> str:
        """A natural key, or what refers to one. There is no row without it."""
        value = self.text(name, code)
        if len(value) > MAX_KEY:
            raise Rejected(code, f"{name} has more than {MAX_KEY} characters")
        if UNSTORABLE.search(value):
            raise Rejected(code, f"{name} holds NUL or a lone surrogate")
        if not value.strip():
            raise Rejected(code, f"{name} is empty")
        return value

    def text(self, name: str, code: str) -> str:
        """Any text, as it stands."""
        value = self.row.get(name)
        if not isinstance(value, str):
            raise Rejected(code, f"{name} is {shown(value)}, not text")
        return value

    def storable(self, name: str, text: str) -> str:
        faults: set[str] = set()
        text = storable_text(text, faults)
        self.note_all(name, faults)
        return text

    def note_all(self, name: str, faults: set[str]) -> None:
        for fault in sorted(faults):
            self.note(name, f"{name}: {fault}")

    def time(self, name: str, *, needed: bool = True) -> int | None:
        """Microseconds since 1970. `needed`: a missing one is worth a note."""
        value = self.row.get(name)
        if not needed and (value is None or value == ""):
            return None
        try:
            return microseconds(value)
        except (ValueError, OverflowError):
            self.note(name, f"{name} is {shown(value)}, not a time")
            return None

    def count(self, name: str) -> int | None:
        value = self.row.get(name)
        if isinstance(value, str) and _DIGITS.fullmatch(value):
            value = int(value)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_INTEGER:
            return value
        if value is not None:
            self.note(name, f"{name} is {shown(value)}, not a count: left out")
        return None

    def metadata(self, known: frozenset[str]) -> dict[str, object]:
        """The row's `metadata`, and beside its entries the fields that are not `known`: nothing
        of a row gets lost."""
        own = self.row.get("metadata")
        if own is not None and not isinstance(own, dict):
            self.note("metadata", f"metadata is {shown(own)}, not an object: left out")
            own = None
        extra = {name: self.row[name] for name in self.row.keys() - known}
        if not own and not extra:
            return {}
        faults: set[str] = set()
        mended = storable_json(extra | (own or {}), faults)
        if isinstance(own, Repeating):
            faults.add("of a name that stands twice the last value counts")
        self.note_all("metadata", faults)
        assert isinstance(mended, dict)
        return mended


def dumped(metadata: dict[str, object]) -> str:
    return orjson.dumps(metadata).decode() if metadata else "{}"

"""The fields of one row: each is read, mended with a note, or the end of its row."""

import re
from datetime import UTC, datetime
from reprlib import Repr

import orjson

from core.text import UNSTORABLE
from core.time import since_epoch
from ops.tinydb.file import Repeating

MAX_KEY = 200
"""Characters of a natural key: an index entry has its limit."""

MAX_INTEGER = 2**31 - 1
MAX_DEPTH = 100
END = since_epoch(datetime(9999, 12, 31, tzinfo=UTC))

_DIGITS = re.compile(r"[0-9]{1,10}")
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]*)?")
_BASIC_DATE = re.compile(r"[0-9]{8}")
_short = Repr()
_short.maxstring = _short.maxother = _short.maxlong = 60

Note = tuple[str, str]


class Rejected(Exception):
    """Raised for a row of which the import cannot tell what it is, whose, or where it belongs."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


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


def microseconds(value: object) -> int:
    """Since 1970, of an ISO 8601 time (UTC when it names no zone) or of epoch seconds, as a number
    or as text. Eight digits are a date. Raises ValueError for all else, and for times that no
    chat has: before 1970 and after 9999."""
    time = -1
    if isinstance(value, str):
        time = _from_text(value.strip())
    elif isinstance(value, int | float) and not isinstance(value, bool):
        time = _from_number(value)
    if not 0 <= time < END:
        raise ValueError(value)
    return time


def _from_text(text: str) -> int:
    if _NUMBER.fullmatch(text) and not _BASIC_DATE.fullmatch(text):
        return _from_number(float(text))
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        time = time.replace(tzinfo=UTC)
    return since_epoch(time)


def _from_number(seconds: float) -> int:
    if not abs(seconds) < END:  # also true of NaN
        raise ValueError(seconds)
    return round(seconds * 1_000_000)


def storable_text(text: str, faults: set[str]) -> str:
    """With U+FFFD for each character that PostgreSQL cannot hold."""
    if not UNSTORABLE.search(text):
        return text
    faults.add("NUL or a lone surrogate became U+FFFD")
    return UNSTORABLE.sub("\ufffd", text)


def storable_json(value: object, faults: set[str], depth: int = 0) -> object:
    """What jsonb can hold and every client can read back. Adds to `faults` what it had to mend."""
    if depth > MAX_DEPTH and isinstance(value, list | dict):
        faults.add(f"what was nested deeper than {MAX_DEPTH} became null")
        return None
    if isinstance(value, str):
        return storable_text(value, faults)
    if isinstance(value, list):
        return [storable_json(item, faults, depth + 1) for item in value]
    if isinstance(value, dict):
        return _storable_object(value, faults, depth + 1)
    if isinstance(value, int | float) and not -(2**63) <= value < 2**64:  # NaN is not either
        faults.add("a number that is too large, or none, became text")
        return str(value)
    return value


def _storable_object(value: dict[str, object], faults: set[str], depth: int) -> dict[str, object]:
    if isinstance(value, Repeating):
        faults.add("of a name that stands twice the last value counts")
    return {
        storable_text(name, faults): storable_json(item, faults, depth)
        for name, item in value.items()
    }

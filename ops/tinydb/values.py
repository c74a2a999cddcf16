"""Single values of a row: what can be read from them, and what PostgreSQL can hold of them."""

import re
from datetime import UTC, datetime, timedelta

from ops.tinydb.file import Repeating

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
END = (datetime(9999, 12, 31, tzinfo=UTC) - EPOCH) // MICROSECOND
MAX_DEPTH = 100

UNSTORABLE = re.compile("[\0\ud800-\udfff]")
"""What JSON can carry and PostgreSQL's text cannot: NUL and lone surrogates."""

_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]*)?")
_BASIC_DATE = re.compile(r"[0-9]{8}")


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


def now() -> int:
    """Microseconds since 1970."""
    return since_epoch(datetime.now(UTC))


def moment(time: int) -> datetime:
    return EPOCH + timedelta(microseconds=time)


def since_epoch(time: datetime) -> int:
    """Microseconds."""
    return (time - EPOCH) // MICROSECOND


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

"""What the import says about single rows, and the file that it says it in."""

import json
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Literal, NamedTuple

from ops.tinydb.file import CannotImport
from ops.tinydb.values import storable_json

Outcome = Literal["rejected", "duplicate", "adjusted"]


class Finding(NamedTuple):
    outcome: Outcome
    table: str
    key: str
    """The document id in the file."""

    code: str
    """What findings are counted by: messages_with_unknown_role, users.email, …"""

    reason: str
    row: object


class Rejected(Exception):
    """Raised for a row of which the import cannot tell what it is, whose, or where it belongs."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


def count(findings: Iterable[Finding], outcome: Outcome) -> dict[str, int]:
    return dict(Counter(finding.code for finding in findings if finding.outcome == outcome))


def refuse_overwriting(report: Path, file: Path) -> None:
    """Raises CannotImport when the report would be written over what it reports on."""
    if report.exists() and report.samefile(file):
        raise CannotImport(f"the report would overwrite {file}")


def write_report(path: Path, findings: Iterable[Finding]) -> bool:
    """One JSON object per line. Without findings there is no report, nor one of an earlier run.
    Raises CannotImport when the file cannot be written."""
    lines = [_line(finding) for finding in findings]
    try:
        if lines:
            path.write_text("".join(lines), encoding="ascii")
        elif path.is_file():
            path.unlink()
    except (OSError, ValueError) as error:
        raise CannotImport(f"cannot write the report {path}: {error}") from error
    return bool(lines)


def _line(finding: Finding) -> str:
    entry = finding._asdict()
    try:
        line = _dumps(entry)
    except (ValueError, RecursionError):  # NaN, or nested more deeply than json can write
        line = _dumps(entry | {"row": storable_json(finding.row, set())})
    return line + "\n"


_dumps: Callable[[object], str] = json.JSONEncoder(allow_nan=False).encode
"""In ASCII: a row's text may hold what some readers take for the end of a line."""

"""What an import did and what it says about single rows, for people and for machines."""

import json
import os
import stat
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from ops.tinydb.fields import storable_json
from ops.tinydb.file import TABLES, CannotImport

SHOWN_NAMES = 10
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


def _count(findings: Iterable[Finding], outcome: Outcome) -> dict[str, int]:
    return dict(Counter(finding.code for finding in findings if finding.outcome == outcome))


@dataclass(frozen=True)
class Summary:
    """Counts of rows by table; rejected and adjusted ones by the code of the finding."""

    tenant: str
    made_workspace: bool
    imported: Mapping[str, int]
    already_there: Mapping[str, int]
    findings: tuple[Finding, ...]
    users_without_password: int
    messages_without_timestamp: int
    owner_refused: str | None
    """Who should become the owner, but was a member before and keeps that role."""

    left_out: Mapping[str, int]
    """Tables and fields that have no place here."""

    report: Path | None
    """None: there was nothing to report."""

    @property
    def changed(self) -> bool:
        return self.made_workspace or any(self.imported.values())

    @property
    def duplicates(self) -> dict[str, int]:
        return _count(self.findings, "duplicate")

    @property
    def rejected(self) -> dict[str, int]:
        return _count(self.findings, "rejected")

    @property
    def adjusted(self) -> dict[str, int]:
        return _count(self.findings, "adjusted")

    def counts(self) -> dict[str, object]:
        return {
            "imported": dict(self.imported),
            "already_there": dict(self.already_there),
            "duplicates": self.duplicates,
            "rejected": self.rejected,
            "adjusted": self.adjusted,
            "users_without_password": self.users_without_password,
            "messages_without_timestamp": self.messages_without_timestamp,
        }

    def lines(self) -> Iterator[str]:
        yield f"workspace {self.tenant}: {'made' if self.made_workspace else 'there already'}"
        if self.owner_refused:
            yield f"{self.owner_refused!a} was a member before and keeps that role: no new owner"
        for table in TABLES:
            yield (
                f"{table:>13}: {self.imported[table]:>7,} imported,"
                f" {self.already_there[table]:>7,} already there,"
                f" {self.duplicates.get(table, 0):>5,} duplicates"
            )
        for outcome, counts in (("rejected", self.rejected), ("adjusted", self.adjusted)):
            for code, number in sorted(counts.items()):
                yield f"{outcome:>13}: {number:>7,} {code}"
        yield f"{self.users_without_password:,} users have no password and cannot sign in with one"
        yield f"{self.messages_without_timestamp:,} messages had no time: interpolated"
        if self.left_out:
            yield f"left out: {_listed(self.left_out)}"
        if self.report:
            yield f"every such row, with its reason: {self.report}"
        if not self.changed:
            yield "nothing was changed: all of it was there already"


def _listed(counts: Mapping[str, int]) -> str:
    """Names come from the file: escaped, so that they cannot steer a terminal."""
    some = [f"{name!a} ({number:,})" for name, number in list(counts.items())[:SHOWN_NAMES]]
    return ", ".join(some) + (" …" if len(counts) > SHOWN_NAMES else "")


def refuse_overwriting(report: Path, file: Path) -> None:
    """Raises CannotImport when the report would be written over what it reports on."""
    if report.exists() and report.samefile(file):
        raise CannotImport(f"the report would overwrite {file}")


def write_report(path: Path, findings: Iterable[Finding]) -> bool:
    """One JSON object per line, for its owner's eyes alone: rows hold what people said, and their
    addresses. Without findings there is no report, nor one of an earlier run.
    Raises CannotImport when the file cannot be written."""
    lines = [_line(finding) for finding in findings]
    try:
        if lines:
            with os.fdopen(_open_private(path), "w", encoding="ascii") as file:
                file.writelines(lines)
        elif path.is_file():
            path.unlink()
    except (OSError, ValueError) as error:
        raise CannotImport(f"cannot write the report {path}: {error}") from error
    return bool(lines)


def _open_private(path: Path) -> int:
    """Also of a report that stands there already, readable by all."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.fchmod(descriptor, 0o600)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _line(finding: Finding) -> str:
    row = _without_password(finding.row)
    entry = finding._asdict() | {"row": row}
    try:
        line = _dumps(entry)
    except (ValueError, RecursionError):  # NaN, or nested more deeply than json can write
        line = _dumps(entry | {"row": storable_json(row, set())})
    return line + "\n"


def _without_password(row: object) -> object:
    """Whatever it is: a hash can be guessed from, and what is no hash may be the password."""
    if isinstance(row, dict) and row.get("password_hash"):
        return row | {"password_hash": "…"}
    return row


_dumps: Callable[[object], str] = json.JSONEncoder(allow_nan=False).encode
"""In ASCII: a row's text may hold what some readers take for the end of a line."""

"""What an import did, for people and for machines."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ops.tinydb.file import TABLES
from ops.tinydb.findings import Finding, count

SHOWN_NAMES = 10


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
        return count(self.findings, "duplicate")

    @property
    def rejected(self) -> dict[str, int]:
        return count(self.findings, "rejected")

    @property
    def adjusted(self) -> dict[str, int]:
        return count(self.findings, "adjusted")

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

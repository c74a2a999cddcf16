"""One import into one workspace, inside its transaction."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, TypeAlias
from uuid import UUID

import asyncpg
from uuid_utils.compat import uuid7

from ops.tinydb.findings import Finding, Outcome, Rejected
from ops.tinydb.progress import Progress
from ops.tinydb.records import Entry, Record

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
Columns: TypeAlias = tuple[object, ...]
CHUNK = 10_000


@dataclass(frozen=True)
class Run:
    connection: Connection
    tenant_id: UUID
    now: int
    """Microseconds since 1970; stands in for times that nothing else tells."""

    findings: list[Finding]
    progress: Progress
    imported: Counter[str] = field(default_factory=Counter)
    present: Counter[str] = field(default_factory=Counter)
    """Rows that the workspace had already, by table."""

    def first_of_each(
        self,
        table: str,
        entries: Iterable[Entry[Record]],
        check: Callable[[Record], None] | None = None,
    ) -> dict[Any, Entry[Record]]:
        """By natural key, the first entry that `check` does not reject (by raising Rejected)."""
        accepted: dict[Any, Entry[Record]] = {}
        for entry in entries:
            key = entry.record.natural_key
            if key in accepted:
                reason = f"stands there already, as row {accepted[key].key}"
                self._found("duplicate", table, entry, table, reason)
                continue
            try:
                if check is not None:
                    check(entry.record)
                accepted[key] = entry
            except Rejected as error:
                self._found("rejected", table, entry, error.code, error.reason)
        return accepted

    def adjusted(self, table: str, entry: Entry[Record], field: str, reason: str) -> None:
        self._found("adjusted", table, entry, f"{table}.{field}", reason)

    def _found(
        self, outcome: Outcome, table: str, entry: Entry[Record], code: str, reason: str
    ) -> None:
        self.findings.append(Finding(outcome, table, entry.key, code, reason, entry.row))

    def count(self, table: str, new: int, accepted: int) -> None:
        self.imported[table] = new
        self.present[table] = accepted - new

    async def copy(
        self, table: str, columns: Sequence[str], rows: Iterable[Columns], total: int
    ) -> None:
        """`rows` may be made on the way: PostgreSQL works on some while the next are made."""
        rest = iter(rows)
        for done in range(0, total, CHUNK):
            self.progress(f"write {table}", done, total)
            await self.connection.copy_records_to_table(
                table, columns=columns, records=islice(rest, CHUNK)
            )
        if total:
            self.progress(f"write {table}", total, total)


def key_at(time: int) -> UUID:
    """A key that sorts among those of its time. Microseconds since 1970."""
    return uuid7(nanoseconds=time * 1000)

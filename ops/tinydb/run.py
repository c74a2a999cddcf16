"""One import into one workspace, inside its transaction."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Generic, NamedTuple, Protocol, TypeAlias, TypeVar
from uuid import UUID

import asyncpg
from uuid_utils.compat import uuid7

from ops.database import Connection
from ops.progress import Progress
from ops.tinydb.fields import Rejected
from ops.tinydb.file import CannotImport
from ops.tinydb.report import Finding, Outcome

Columns: TypeAlias = tuple[object, ...]
CHUNK = 10_000


class Keyed(Protocol):
    """What a row says, once read. Times are microseconds since 1970; references are natural keys,
    resolved later: they may point into the database."""

    @property
    def natural_key(self) -> Any:
        """What the row is known by."""


Record = TypeVar("Record", bound=Keyed)


class Entry(NamedTuple, Generic[Record]):
    """A record with where it came from, for what is found out about it later."""

    key: str
    row: object
    record: Record


@dataclass(frozen=True)
class Workspace:
    id: UUID
    made: bool
    """Now, by this import."""

    members: dict[str, UUID]
    """User ids by username, of those that the file names."""

    owners: frozenset[str]
    """Which of those own it."""

    has_owner: bool


async def enter_workspace(connection: Connection, slug: str, names: Iterable[str]) -> Workspace:
    """Makes it when it is missing. No other import enters it until the transaction ends.

    Raises CannotImport for a slug that no workspace can have.
    """
    await connection.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended('import.tinydb ' || $1, 0))", slug
    )
    tenant_id = await connection.fetchval("SELECT id FROM tenants WHERE slug = $1", slug)
    if tenant_id is None:
        return Workspace(
            await _make(connection, slug),
            made=True,
            members={},
            owners=frozenset(),
            has_owner=False,
        )
    members = await connection.fetch(
        "SELECT u.username, u.id, m.role FROM memberships m JOIN users u ON u.id = m.user_id"
        " WHERE m.tenant_id = $1 AND u.username = ANY($2)",
        tenant_id,
        list(names),
    )
    has_owner = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM memberships"
        " WHERE tenant_id = $1 AND role = 'OWNER' AND is_active)",
        tenant_id,
    )
    return Workspace(
        tenant_id,
        made=False,
        members={member["username"]: member["id"] for member in members},
        owners=frozenset(row["username"] for row in members if row["role"] == "OWNER"),
        has_owner=has_owner,
    )


async def _make(connection: Connection, slug: str) -> UUID:
    name = " ".join(word for word in slug.split("-") if word).title()
    try:
        id: UUID = await connection.fetchval(
            "INSERT INTO tenants (slug, name) VALUES ($1, $2) RETURNING id", slug, name
        )
    except asyncpg.CheckViolationError as error:
        raise CannotImport(
            f"{slug!r} cannot name a workspace: use up to 63 of a-z, 0-9 and inner hyphens"
            " that do not read as a UUID"
        ) from error
    return id


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

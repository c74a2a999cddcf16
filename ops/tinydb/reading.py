"""The whole file, read: records of every table in file order, and what was found on the way.

A row is rejected when it cannot be told what it is (its key, its role, its content) or whose.
Lesser faults are mended and noted: a time that cannot be read is as one that is missing. What
depends on other rows (duplicates, references) is decided later: it may depend on the database.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ops.tinydb import content_rows, people_rows
from ops.tinydb.fields import Fields
from ops.tinydb.file import File, Row, read_file
from ops.tinydb.findings import Finding, Rejected
from ops.tinydb.progress import Progress
from ops.tinydb.records import (
    ConversationRecord,
    DocumentRecord,
    Entry,
    MessageRecord,
    Record,
    SessionRecord,
    UserRecord,
)

KNOWN = {
    "users": people_rows.USER,
    "conversations": content_rows.CONVERSATION,
    "sessions": people_rows.SESSION,
}
"""Fields of the tables that have no metadata to keep others in."""


@dataclass(frozen=True)
class Reading:
    users: list[Entry[UserRecord]]
    documents: list[Entry[DocumentRecord]]
    conversations: list[Entry[ConversationRecord]]
    messages: list[Entry[MessageRecord]]
    sessions: list[Entry[SessionRecord]]
    findings: list[Finding]
    left_out: dict[str, int]
    """Of whole tables and of fields (table.field) that have no place here, how often they stand."""


def read_everything(file: Path, progress: Progress) -> Reading:
    """Raises CannotImport."""
    source = read_file(file)
    findings: list[Finding] = []

    def read(table: str, reader: Callable[[Fields], Record]) -> list[Entry[Record]]:
        found = source.tables.get(table, [])
        return list(_entries(table, found, reader, findings, progress))

    return Reading(
        read("users", people_rows.user),
        read("documents", content_rows.document),
        read("conversations", content_rows.conversation),
        read("messages", content_rows.message),
        read("sessions", people_rows.session),
        findings,
        source.left_out | _unknown_fields(source),
    )


def _entries(
    table: str,
    found: list[Row],
    reader: Callable[[Fields], Record],
    findings: list[Finding],
    progress: Progress,
) -> Iterator[Entry[Record]]:
    for done, (key, row) in enumerate(found):
        if done % 5000 == 0:
            progress(f"read {table}", done, len(found))
        try:
            fields = Fields(table, row)
            record = reader(fields)
        except Rejected as error:
            findings.append(Finding("rejected", table, key, error.code, error.reason, row))
            continue
        for code, reason in fields.notes:
            findings.append(Finding("adjusted", table, key, code, reason, row))
        yield Entry(key, row, record)
    if found:
        progress(f"read {table}", len(found), len(found))


def _unknown_fields(source: File) -> dict[str, int]:
    return Counter(
        f"{table}.{field}"
        for table, known in KNOWN.items()
        for _, row in source.tables.get(table, [])
        if isinstance(row, dict)
        for field in row.keys() - known
    )

"""The whole file, read: records of every table in file order, and what was found on the way.

A row is rejected when it cannot be told what it is (its key, its role, its content) or whose.
Lesser faults are mended and noted: a time that cannot be read is as one that is missing. What
depends on other rows (duplicates, references) is decided later: it may depend on the database.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ops.progress import Progress
from ops.tinydb import conversation, document, message, session, user
from ops.tinydb.fields import Fields, Rejected
from ops.tinydb.file import File, Row, read_file
from ops.tinydb.report import Finding
from ops.tinydb.run import Entry, Record

KNOWN = {
    "users": user.FIELDS,
    "conversations": conversation.FIELDS,
    "sessions": session.FIELDS,
}
"""Fields of the tables that have no metadata to keep others in."""


@dataclass(frozen=True)
class Reading:
    users: list[Entry[user.UserRecord]]
    documents: list[Entry[document.DocumentRecord]]
    conversations: list[Entry[conversation.ConversationRecord]]
    messages: list[Entry[message.MessageRecord]]
    sessions: list[Entry[session.SessionRecord]]
    findings: list[Finding]
    left_out: dict[str, int]
    """Of whole tables and of fields (table.field) that have no place here, how often they stand."""

    def people(self) -> set[str]:
        """Everybody whom the file names."""
        return {
            *(entry.record.natural_key for entry in self.users),
            *(entry.record.owner for entry in self.conversations),
            *(entry.record.owner for entry in self.documents if entry.record.owner),
            *(entry.record.natural_key[0] for entry in self.sessions),
        }

    def cited(self) -> set[str]:
        """Natural keys of the documents that messages name."""
        return {id for entry in self.messages for id in entry.record.documents}


def read_everything(file: Path, progress: Progress) -> Reading:
    """Raises CannotImport."""
    source = read_file(file)
    findings: list[Finding] = []

    def read(table: str, reader: Callable[[Fields], Record]) -> list[Entry[Record]]:
        found = source.tables.get(table, [])
        return list(_entries(table, found, reader, findings, progress))

    return Reading(
        read("users", user.read_user),
        read("documents", document.read_document),
        read("conversations", conversation.read_conversation),
        read("messages", message.read_message),
        read("sessions", session.read_session),
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

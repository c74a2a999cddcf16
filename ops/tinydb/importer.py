"""Brings the contents of a TinyDB file into a workspace: all of it, or nothing.

Rows are recognised by their natural keys, so a second run adds only what is new in the file and
never touches what is there. Of a conversation that grew, the new messages are appended.
"""

import gc
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import orjson

from core.settings import Settings
from core.text import UNSTORABLE, normalised
from core.time import since_epoch
from ops.database import NOT_MIGRATED, Connection, as_owner
from ops.progress import Progress, silent
from ops.tinydb.conversation import collect_threads, grow_conversations, import_conversations
from ops.tinydb.document import import_documents
from ops.tinydb.fields import storable_text
from ops.tinydb.file import CannotImport
from ops.tinydb.message import import_messages
from ops.tinydb.reading import Reading, read_everything
from ops.tinydb.report import Summary, refuse_overwriting, write_report
from ops.tinydb.run import Run, enter_workspace
from ops.tinydb.session import import_sessions
from ops.tinydb.user import import_users

ATTEMPTS = 3
COLLISIONS = (
    asyncpg.UniqueViolationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
)
"""Somebody signed up, or another workspace imported the same people, at the same moment."""


async def import_tinydb(
    settings: Settings,
    file: Path,
    *,
    tenant: str,
    owner: str | None = None,
    report: Path | None = None,
    progress: Progress = silent,
) -> Summary:
    """`tenant` is the slug of a workspace, made when it is missing, `owner` a username. What cannot
    be taken as it stands is written to `report`, one JSON object per line. Raises Failure, with
    nothing written to the database.
    """
    if owner is not None:
        owner = normalised(UNSTORABLE.sub("\ufffd", owner))
    wanted = _Import(file, tenant, owner, report or Path(f"{file.stem}.rejected.jsonl"), progress)
    with _uncollected():
        reading = read_everything(file, progress)
        refuse_overwriting(wanted.report, file)
        async with _connected(settings) as connection:
            return await wanted.attempt(connection, reading)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Every row lives until the end: a collector would walk them all, again and again, for
    nothing. That is a third of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@asynccontextmanager
async def _connected(settings: Settings) -> AsyncIterator[Connection]:
    async with as_owner(settings) as connection:
        try:
            yield connection
        except NOT_MIGRATED:
            raise
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            reason = str(error).partition("\n")[0]
            raise CannotImport(f"nothing was imported, trying again is safe: {reason}") from error


@dataclass(frozen=True)
class _Import:
    file: Path
    tenant: str
    owner: str | None
    report: Path
    progress: Progress

    async def attempt(self, connection: Connection, reading: Reading) -> Summary:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                async with connection.transaction():
                    return await self.run(connection, reading)
            except COLLISIONS:
                if attempt == ATTEMPTS:
                    raise
        raise AssertionError("unreachable")

    async def run(self, connection: Connection, reading: Reading) -> Summary:
        names = reading.people() | ({self.owner} if self.owner else set())
        workspace = await enter_workspace(connection, self.tenant, names)
        now = since_epoch(datetime.now(UTC))
        run = Run(connection, workspace.id, now, list(reading.findings), self.progress)
        people, without_password = await import_users(run, workspace, reading.users, self.owner)
        documents = await import_documents(run, reading.documents, reading.cited(), people)
        threads = await collect_threads(run, reading.conversations, reading.messages, people)
        await import_conversations(run, threads)
        await import_messages(run, threads, documents)
        await grow_conversations(run, threads)
        await import_sessions(run, reading.sessions, people)
        joined = workspace.members.keys() - workspace.owners
        summary = Summary(
            tenant=self.tenant,
            made_workspace=workspace.made,
            imported=run.imported,
            already_there=run.present,
            findings=tuple(run.findings),
            users_without_password=without_password,
            messages_without_timestamp=sum(
                entry.record.time is None for thread in threads for entry in thread.rows
            ),
            owner_refused=self.owner if self.owner in joined else None,
            left_out=reading.left_out,
            report=self.report if run.findings else None,
        )
        if summary.changed:
            await _audit(run, summary, self.file)
        write_report(self.report, run.findings)
        return summary


async def _audit(run: Run, summary: Summary, file: Path) -> None:
    details = {"file": storable_text(file.name, set()), **summary.counts()}
    await run.connection.execute(
        "INSERT INTO audit_events (tenant_id, action, details) VALUES ($1, 'import.finished', $2)",
        run.tenant_id,
        orjson.dumps(details).decode(),
    )

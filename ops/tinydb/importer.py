"""Brings the contents of a TinyDB file into a workspace: all of it, or nothing.

Rows are recognised by their natural keys, so a second run adds only what is new in the file and
never touches what is there. Of a conversation that grew, the new messages are appended.
"""

import gc
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import asyncpg
import orjson

from core.text import normalised
from ops.tinydb.conversations import grow_conversations, import_conversations
from ops.tinydb.documents import import_documents
from ops.tinydb.file import CannotImport
from ops.tinydb.findings import refuse_overwriting, write_report
from ops.tinydb.messages import import_messages
from ops.tinydb.people import import_people, names
from ops.tinydb.progress import Progress, silent
from ops.tinydb.reading import Reading, read_everything
from ops.tinydb.run import Connection, Run
from ops.tinydb.sessions import import_sessions
from ops.tinydb.summary import Summary
from ops.tinydb.threads import collect_threads
from ops.tinydb.values import UNSTORABLE, now, storable_text
from ops.tinydb.workspace import enter_workspace

CONNECT_SECONDS = 10
ATTEMPTS = 3
COLLISIONS = (
    asyncpg.UniqueViolationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
)
"""Somebody signed up, or another workspace imported the same people, at the same moment."""


async def import_tinydb(
    url: str,
    file: Path,
    *,
    tenant: str,
    owner: str | None = None,
    report: Path | None = None,
    progress: Progress = silent,
) -> Summary:
    """`url` is the login of the tables' owner, `tenant` the slug of a workspace, made when it is
    missing, `owner` a username. What cannot be taken as it stands is written to `report`, one JSON
    object per line. Raises CannotImport, with nothing written to the database.
    """
    report = report or Path(f"{file.stem}.rejected.jsonl")
    if owner is not None:
        owner = normalised(UNSTORABLE.sub("\ufffd", owner))
    with _uncollected():
        reading = read_everything(file, progress)
        refuse_overwriting(report, file)
        return await _import(url, file, reading, tenant, owner, report, progress)


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


async def _import(
    url: str,
    file: Path,
    reading: Reading,
    tenant: str,
    owner: str | None,
    report: Path,
    progress: Progress,
) -> Summary:
    async with _connected(url) as connection:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                async with connection.transaction():
                    return await _run(connection, reading, file, tenant, owner, report, progress)
            except COLLISIONS:
                if attempt == ATTEMPTS:
                    raise
        raise AssertionError("unreachable")


@asynccontextmanager
async def _connected(url: str) -> AsyncIterator[Connection]:
    try:
        connection = await asyncpg.connect(url, timeout=CONNECT_SECONDS)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, ValueError) as error:
        raise CannotImport(f"cannot reach the database: {error}") from error
    try:
        yield connection
    except (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError) as error:
        raise CannotImport("the database is not up to date: run python -m ops migrate") from error
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        reason = str(error).partition("\n")[0]
        raise CannotImport(f"nothing was imported, trying again is safe: {reason}") from error
    finally:
        await connection.close()


async def _run(
    connection: Connection,
    reading: Reading,
    file: Path,
    tenant: str,
    owner: str | None,
    report: Path,
    progress: Progress,
) -> Summary:
    workspace = await enter_workspace(connection, tenant, names(reading, owner))
    run = Run(connection, workspace.id, now(), list(reading.findings), progress)
    people, without_password = await import_people(run, workspace, reading, owner)
    documents = await import_documents(run, reading, people)
    threads = await collect_threads(run, reading, people)
    await import_conversations(run, threads)
    await import_messages(run, threads, documents)
    await grow_conversations(run, threads)
    await import_sessions(run, reading.sessions, people)
    summary = Summary(
        tenant=tenant,
        made_workspace=workspace.made,
        imported=run.imported,
        already_there=run.present,
        findings=tuple(run.findings),
        users_without_password=without_password,
        messages_without_timestamp=sum(
            entry.record.time is None for thread in threads for entry in thread.rows
        ),
        owner_refused=owner if owner in workspace.members.keys() - workspace.owners else None,
        left_out=reading.left_out,
        report=report if run.findings else None,
    )
    if summary.changed:
        await _audit(run, summary, file)
    write_report(report, run.findings)
    return summary


async def _audit(run: Run, summary: Summary, file: Path) -> None:
    details = {"file": storable_text(file.name, set()), **summary.counts()}
    await run.connection.execute(
        "INSERT INTO audit_events (tenant_id, action, details) VALUES ($1, 'import.tinydb', $2)",
        run.tenant_id,
        orjson.dumps(details).decode(),
    )

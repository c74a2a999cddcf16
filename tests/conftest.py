"""Real PostgreSQL 18 for every test: a template database is migrated once, then cloned."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import asyncpg
import pytest

from ops.database import create_database
from ops.migrate import migrate
from ops.postgres import running
from tables.engine import DB

TEMPLATE = "parley_template"
MEMORY = Path("/dev/shm")
MEMORY_NEEDED = 2 * 2**30


@dataclass(frozen=True)
class Database:
    """A migrated, empty database of one test."""

    socket: Path
    name: str

    def url(self, user: str) -> str:
        return f"postgresql://{user}@/{self.name}?host={self.socket}"

    async def connect(self, user: str = "parley_owner") -> "asyncpg.Connection[asyncpg.Record]":
        return await asyncpg.connect(self.url(user))


@pytest.fixture(scope="session")
def postgres() -> Iterator[Path]:
    """Socket directory of a PostgreSQL whose data nobody will miss."""
    directory = Path(tempfile.mkdtemp(prefix="parley-", dir=_home()))
    try:
        with running(directory / "postgres") as socket:
            asyncio.run(_template(socket))
            yield socket
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _home() -> Path | None:
    """Where to keep it: in memory, if there is room. Cloning a database on a busy disk takes 30
    times as long."""
    roomy = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > MEMORY_NEEDED
    return MEMORY if roomy else None


async def _template(socket: Path) -> None:
    connection = await asyncpg.connect(user="postgres", database="postgres", host=str(socket))
    for setting in ("fsync = off", "full_page_writes = off", "synchronous_commit = off"):
        await connection.execute(f"ALTER SYSTEM SET {setting}")
    await connection.execute("SELECT pg_reload_conf()")
    await create_database(socket, TEMPLATE)
    await migrate(Database(socket, TEMPLATE).url("parley_owner"), lambda line: None)
    # A connection that were left here, or made by mistake, would fail every clone.
    await connection.execute(f"ALTER DATABASE {TEMPLATE} IS_TEMPLATE true ALLOW_CONNECTIONS false")
    await connection.close()


_numbers = count(1)


@pytest.fixture
async def database(postgres: Path) -> AsyncIterator[Database]:
    async with cloned(postgres) as database:
        yield database


@asynccontextmanager
async def cloned(socket: Path) -> AsyncIterator[Database]:
    """A database of the template, for as long as it is needed."""
    name = f"test_{next(_numbers)}"
    admin = await asyncpg.connect(user="postgres", database="postgres", host=str(socket))
    await admin.execute(
        f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} OWNER parley_owner STRATEGY file_copy"
    )
    try:
        yield Database(socket, name)
    finally:
        await DB.close(timeout=2)  # whoever opened it
        await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
        await admin.close()


@pytest.fixture
async def db(database: Database) -> Database:
    """`database`, with the application's engine open on it."""
    await DB.open(database.url("parley_app"), size=8)
    return database

"""The database that a command works on: the one of the settings, else the embedded one."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TypeAlias

import asyncpg

from core.settings import Settings, address
from ops.failure import Failure
from ops.migrate import migrate
from ops.postgres import running

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
CONNECT_SECONDS = 10
NOT_MIGRATED = (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError)


@contextmanager
def available(settings: Settings, announce: Callable[[str], None]) -> Iterator[None]:
    """The database, of any version. The embedded one runs as long as somebody wants it."""
    if settings.owner_database_url:
        asyncio.run(_reach(settings))
        yield
    elif settings.database_url:
        raise Failure("set PARLEY_OWNER_DATABASE_URL too: commands work as the tables' owner")
    else:
        with running(settings.postgres_dir, announce) as socket:
            asyncio.run(create_database(socket))
            yield


@contextmanager
def migrated(settings: Settings, announce: Callable[[str], None]) -> Iterator[None]:
    """The embedded database is brought up to date; another one is its operator's business."""
    with available(settings, announce):
        if not settings.owner_database_url:
            asyncio.run(migrate(settings.owner_url, announce))
        yield


async def create_database(socket: Path, name: str = "parley") -> None:
    """Makes the owner's role and the database, when missing. Needs the superuser."""
    connection = await asyncpg.connect(user="postgres", database="postgres", host=str(socket))
    try:
        # One at a time: two copies of the same template collide.
        await connection.execute("SELECT pg_advisory_lock(hashtext('create_database'))")
        if not await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = 'parley_owner'"):
            await connection.execute("CREATE ROLE parley_owner LOGIN CREATEROLE BYPASSRLS")
        if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", name):
            await connection.execute(f'CREATE DATABASE "{name}" OWNER parley_owner')
    finally:
        await connection.close()


@asynccontextmanager
async def as_owner(settings: Settings) -> AsyncIterator[Connection]:
    """Sees the rows of all tenants."""
    try:
        connection = await asyncpg.connect(settings.owner_url, timeout=CONNECT_SECONDS)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, ValueError) as error:
        raise Failure(
            f"cannot reach the database {address(settings.owner_url)}: {error}"
        ) from error
    try:
        yield connection
    except NOT_MIGRATED as error:
        raise Failure("the database is not up to date: run python -m ops migrate") from error
    finally:
        await connection.close()


async def _reach(settings: Settings) -> None:
    async with as_owner(settings):
        pass

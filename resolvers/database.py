"""Opening and reading the database, for layers that may not touch `tables`."""

import asyncio

import asyncpg

from core.settings import Settings, address
from core.viewer import Identity, Viewer
from tables.engine import DB, Row, Scope
from tables.scope import UNAVAILABLE

PATIENCE = 2.0
"""Seconds that a health check waits."""

UNREACHABLE = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError)


class DatabaseUnreachable(Exception):
    """Says which database, and why."""


async def open_database(settings: Settings) -> None:
    """Raises DatabaseUnreachable, or UnsafeLogin for one that row-level security does not hold."""
    try:
        await DB.open(
            settings.app_url,
            size=settings.pool_size,
            acquire_timeout=settings.acquire_timeout,
            statement_timeout=settings.statement_timeout,
            statement_cache_size=settings.statement_cache_size,
        )
    except UNREACHABLE as error:
        raise DatabaseUnreachable(f"{address(settings.app_url)}: {error}") from error
    await DB.refuse_unsafe_login()


async def close_database() -> None:
    await DB.close()


def reading(who: Identity, turns: asyncio.Semaphore | None = None) -> Scope:
    """One snapshot for a whole query; begins with its first statement, when it is its turn."""
    if isinstance(who, Viewer):
        return DB.tenant(who.tenant_id, read_only=True, turns=turns)
    return DB.identity(read_only=True)


def is_outage(error: BaseException | None) -> bool:
    """Whether it passes, since it is the database that cannot be asked now."""
    return isinstance(error, UNAVAILABLE)


async def database_answers() -> bool:
    try:
        async with asyncio.timeout(PATIENCE), DB.identity(read_only=True):
            await DB.fetch(Row, "SELECT 1")
    except UNREACHABLE:
        return False
    return True

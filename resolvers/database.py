"""The server's way to the database, which only `tables` may touch."""

import asyncio

import asyncpg

from core.settings import Settings
from tables.engine import DB, Row

PATIENCE = 2.0
"""Seconds that a health check waits."""


async def open_database(settings: Settings) -> None:
    """Raises UnsafeLogin for a login that row-level security does not hold for."""
    await DB.open(
        settings.app_url,
        size=settings.pool_size,
        acquire_timeout=settings.acquire_timeout,
        statement_timeout=settings.statement_timeout,
        statement_cache_size=settings.statement_cache_size,
    )
    await DB.refuse_unsafe_login()


async def close_database() -> None:
    await DB.close()


async def database_answers() -> bool:
    try:
        async with asyncio.timeout(PATIENCE), DB.identity(read_only=True):
            await DB.fetch(Row, "SELECT 1")
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return False
    return True

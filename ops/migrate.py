"""Runs Piccolo's migrations, once, however many processes try.

`piccolo migrations forwards parley` works too, but takes no lock and records a migration after
the migration's own transaction: a crash in between leaves its tables without its record.
"""

import asyncio
import contextlib
import io
from collections.abc import AsyncIterator, Callable
from itertools import count

import asyncpg
from piccolo.apps.migrations.commands.forwards import ForwardsMigrationManager
from piccolo.apps.migrations.tables import Migration
from piccolo.engine import engine_finder
from piccolo.engine.postgres import PostgresEngine

from ops.failure import Failure

APP = "parley"
LOCK_KEY = 0x7061726C6579  # "parley"
POLL_SECONDS = 0.2
POLLS_IN_SILENCE = 5


class MigrationFailed(Failure):
    """It was rolled back; those before it stay."""


@contextlib.asynccontextmanager
async def _lock(engine: PostgresEngine, announce: Callable[[str], None]) -> AsyncIterator[None]:
    """A try-lock, polled: a statement that waits for the lock would hold a snapshot, and the
    CREATE INDEX CONCURRENTLY of whoever has the lock would wait for that for ever."""
    connection = await engine.get_new_connection()
    try:
        polls = count(1)
        while not await connection.fetchval("SELECT pg_try_advisory_lock($1)", LOCK_KEY):
            if next(polls) == POLLS_IN_SILENCE:
                announce("waiting for another process, which migrates")
            await asyncio.sleep(POLL_SECONDS)
        yield
    finally:
        await connection.close()


def _engine_on(url: str) -> PostgresEngine:
    """Piccolo finds the engine of piccolo_conf, and so do the migrations: it works on our
    database, which need not be that of the environment."""
    engine = engine_finder()
    assert isinstance(engine, PostgresEngine)
    engine.config["dsn"] = url
    return engine


async def migrate(url: str, announce: Callable[[str], None]) -> int:
    """`url` is the login of the tables' owner. Returns how many migrations this process ran, and
    announces each before it starts.

    Raises MigrationFailed.
    """
    engine = _engine_on(url)
    ran = 0
    async with _lock(engine, announce):
        runner = ForwardsMigrationManager(app_name=APP, migration_id="1")
        await runner.create_migration_table()
        config = runner.get_app_config(APP)
        modules = runner.get_migration_modules(config.resolved_migrations_folder_path)
        while pending := sorted(set(modules) - set(await Migration.get_migrations_which_ran(APP))):
            module = modules[pending[0]]
            name = getattr(module, "DESCRIPTION", None) or pending[0]
            announce(f"migrating: {name}")
            # CREATE INDEX CONCURRENTLY cannot run inside a transaction
            alone = not getattr(await module.forwards(), "wrap_in_transaction", True)
            try:
                with contextlib.redirect_stdout(io.StringIO()):
                    async with contextlib.nullcontext() if alone else engine.transaction():
                        await runner.run_migrations(config)
            except asyncpg.PostgresError as error:
                raise MigrationFailed(f"the migration {name!r} failed: {error}") from error
            ran += 1
    return ran

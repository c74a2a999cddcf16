"""`python -m ops migrate`, in processes of its own, as a person runs it."""

from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from ops.database import create_database
from ops.migrate import LOCK_KEY, migrate
from tests.conftest import Database
from tests.ops.commands import Command, failure, run


@pytest.fixture
async def empty(postgres: Path) -> AsyncIterator[Database]:
    await create_database(postgres, "empty")
    yield Database(postgres, "empty")
    admin = await asyncpg.connect(user="postgres", database="postgres", host=str(postgres))
    await admin.execute("DROP DATABASE empty WITH (FORCE)")
    await admin.close()


async def migrations(database: Database) -> list[str]:
    connection = await database.connect()
    rows = await connection.fetch("SELECT name FROM migration ORDER BY id")
    await connection.close()
    return [row["name"] for row in rows]


async def test_many_at_once_one_migrates(empty: Database) -> None:
    url = empty.url("parley_owner")
    commands = [Command.started("migrate", owner_database_url=url) for _ in range(5)]
    results = [command.ended() for command in commands]
    assert [code for code, _, _ in results] == [0] * 5
    last_lines = sorted(err.splitlines()[-1] for _, _, err in results)
    ran = len(await migrations(empty))
    assert last_lines == sorted(["the database is up to date"] * 4 + [f"ran {ran} migrations"])


async def test_whoever_waits_says_so(empty: Database) -> None:
    holder = await empty.connect()
    await holder.execute("SELECT pg_advisory_lock($1)", LOCK_KEY)
    command = Command.started("migrate", owner_database_url=empty.url("parley_owner"))
    command.said("waiting for another process, which migrates")
    await holder.close()
    assert command.ended()[0] == 0


async def test_a_failed_migration_is_rolled_back_and_tried_again(empty: Database) -> None:
    connection = await empty.connect()
    await connection.execute("CREATE TABLE participants ()")  # in the way
    url = empty.url("parley_owner")
    code, _, err = run("migrate", owner_database_url=url)
    assert code == 1
    assert err.splitlines()[-1].startswith("error: the migration 'tables' failed: relation")
    assert "Traceback" not in err
    assert len(await migrations(empty)) == 1
    assert await connection.fetchval("SELECT to_regclass('users')") is None
    await connection.execute("DROP TABLE participants")
    await connection.close()
    code, _, err = run("migrate", owner_database_url=url)
    assert code == 0
    assert f"ran {len(await migrations(empty)) - 1} migrations" in err


async def test_a_migration_and_its_record_are_one(empty: Database) -> None:
    connection = await empty.connect()
    await connection.execute(
        "CREATE TABLE migration (id serial PRIMARY KEY, name text CHECK (false),"
        " app_name text, ran_on timestamp)"
    )
    code, _, err = run("migrate", owner_database_url=empty.url("parley_owner"))
    assert code == 1
    assert "the migration 'roles' failed" in err
    assert await connection.fetchval("SELECT to_regproc('touch_updated_at')") is None
    await connection.close()


async def test_a_login_without_rights_is_one_line(empty: Database) -> None:
    connection = await empty.connect()
    await connection.execute("CREATE ROLE stranger LOGIN")
    line = failure("migrate", owner_database_url=empty.url("stranger"))
    assert "permission denied" in line
    await connection.execute("DROP ROLE stranger")
    await connection.close()


async def test_the_callers_database_and_no_other(empty: Database, database: Database) -> None:
    """Piccolo's engine is one per process; this one has migrated the tests' template already."""
    said: list[str] = []
    assert await migrate(database.url("parley_owner"), said.append) == 0
    assert await migrate(empty.url("parley_owner"), said.append) == len(said)
    assert await migrations(empty) == await migrations(database)

"""Piccolo's own commands, from the checkout: up, down with data in place, and up again."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from piccolo.table import sort_table_classes

from core.settings import CHECKOUT
from ops.database import create_database
from ops.postgres_cluster import programs
from tables.piccolo_app import APP_CONFIG
from tests.conftest import Database
from tests.tables.world import add_row, add_workspace

STEPS = {
    re.search(r'^ID = "(.+)"$', text, re.MULTILINE)[1]: text  # type: ignore[index]
    for path in sorted((CHECKOUT / "piccolo_migrations").glob("*.py"))
    if (text := path.read_text())
}
(ISOLATION,) = (step for step, text in STEPS.items() if 'DESCRIPTION = "isolation"' in text)
(DOCUMENTS,) = (step for step, text in STEPS.items() if 'DESCRIPTION = "documents"' in text)


def _piccolo(database: Database, *arguments: str) -> str:
    done = subprocess.run(
        [Path(sys.executable).with_name("piccolo"), "migrations", *arguments],
        cwd=CHECKOUT,
        env=os.environ | {"PARLEY_OWNER_DATABASE_URL": database.url("parley_owner")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _schema(database: Database) -> list[str]:
    """Everything but Piccolo's own table: columns, constraints, indexes, policies, grants, …"""
    options = ["--schema-only", "--exclude-table=migration*", "--username=parley_owner"]
    where = [f"--host={database.socket}", database.name]
    done = subprocess.run(
        [programs() / "pg_dump", *options, *where], capture_output=True, text=True, check=True
    )
    return [line for line in done.stdout.splitlines() if not line.startswith("\\")]


async def _fill(database: Database) -> None:
    owner = await database.connect()
    for name in ("acme", "globex"):
        await add_workspace(owner, name, await add_row(owner, "users", username=name))
    await owner.close()


@pytest.fixture
async def empty(postgres: Path) -> Database:
    await create_database(postgres, "test_empty")
    return Database(postgres, "test_empty")


async def test_up_and_all_the_way_down_and_up_again(empty: Database, database: Database) -> None:
    nothing = _schema(empty)
    assert f"{len(STEPS)} migrations" in _piccolo(empty, "forwards", "parley")
    assert _schema(empty) == _schema(database)
    await _fill(empty)
    _piccolo(empty, "backwards", "parley", "all", "--auto_agree")
    assert set(_schema(empty)) - set(nothing) == set()
    _piccolo(empty, "forwards", "parley")
    assert _schema(empty) == _schema(database)
    await _fill(empty)


async def test_every_single_step_can_be_undone_and_done_again(database: Database) -> None:
    full = _schema(database)
    for step in reversed(STEPS):
        await _fill(database)
        _piccolo(database, "backwards", "parley", step, "--auto_agree")
        assert _schema(database) != full
        _piccolo(database, "forwards", "parley")
        assert _schema(database) == full
        owner = await database.connect()
        await owner.execute("TRUNCATE users, tenants CASCADE")
        await owner.close()


async def test_documents_from_before_are_found_and_not_changed(database: Database) -> None:
    _piccolo(database, "backwards", "parley", DOCUMENTS, "--auto_agree")
    await _fill(database)
    owner = await database.connect()
    times = "SELECT id, updated_at FROM documents ORDER BY id"
    before = await owner.fetch(times)
    _piccolo(database, "forwards", "parley")
    assert await owner.fetch(times) == before
    found = "SELECT count(*) FROM documents WHERE words @@ 'txt'"
    assert await owner.fetchval(found) == len(before) > 0
    await owner.execute("UPDATE documents SET size = 1")
    assert await owner.fetch(times) != before
    await owner.close()


async def test_undoing_the_isolation_leaves_nobody_with_a_right(database: Database) -> None:
    _piccolo(database, "backwards", "parley", ISOLATION, "--auto_agree")
    owner = await database.connect()
    for table in sort_table_classes(APP_CONFIG.table_classes):
        grants = await owner.fetchval(
            "SELECT relacl::text FROM pg_class WHERE oid = to_regclass($1)", table._meta.tablename
        )
        assert "parley_tenant" not in (grants or "")
        assert "parley_auth" not in (grants or "")
    await owner.close()

"""Slugs: what may name a workspace, and what could pass for the id of one."""

from uuid import UUID

import asyncpg
import pytest

from tests.conftest import Database

GOOD = ["a", "acme", "4-acme", "a--b", "a" * 63, "0x" + "a" * 29, "a" * 31, "a" * 33, "g" * 32]
MALFORMED = ["", "-a", "a-", "Acme", "a_b", "a b", "ä", "a" * 64, "a\n"]
READS_AS_UUID = [
    "a" * 32,
    "01a2037b-3502-7579-87cb-9cd288df3103",
    "01a2-037b-3502-7579-87cb-9cd2-88df-3103",
    "0-1a2037b3502757987cb9cd288df31-0-3",
    "0x" + "a" * 30,
    "0-x" + "a" * 30,
]


async def _add(database: Database, slug: str) -> None:
    owner = await database.connect()
    try:
        await owner.execute("INSERT INTO tenants (slug, name) VALUES ($1, 'name')", slug)
    finally:
        await owner.close()


@pytest.mark.parametrize("slug", GOOD)
async def test_a_slug(database: Database, slug: str) -> None:
    with pytest.raises(ValueError, match=r"UUID|invalid literal"):
        UUID(slug)
    await _add(database, slug)


@pytest.mark.parametrize("slug", MALFORMED)
async def test_what_is_no_slug(database: Database, slug: str) -> None:
    with pytest.raises(asyncpg.CheckViolationError):
        await _add(database, slug)


@pytest.mark.parametrize("slug", READS_AS_UUID)
async def test_no_slug_reads_as_a_uuid(database: Database, slug: str) -> None:
    UUID(slug)
    with pytest.raises(asyncpg.CheckViolationError):
        await _add(database, slug)

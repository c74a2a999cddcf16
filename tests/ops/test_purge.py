"""What was deleted long ago goes for good."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from core.settings import Settings
from ops import purge as module
from ops.purge import purge
from tests.conftest import Database
from tests.graph import Cast

NOW = datetime.now(UTC)
OLD, RECENT = NOW - timedelta(days=31), NOW - timedelta(days=29)
TABLES = ("messages", "documents", "conversations", "participants", "message_documents", "sessions")


@pytest.fixture
async def cast(database: Database) -> AsyncIterator[Cast]:
    connection = await database.connect()
    yield Cast(connection)
    await connection.close()


async def _purge(database: Database) -> tuple[Counter[str], list[str]]:
    said: list[str] = []
    settings = Settings(owner_database_url=database.url("parley_owner"))
    return await purge(settings, timedelta(days=30), said.append), said


async def _furnish(cast: Cast, slug: str) -> UUID:
    """Of each, and of each age, three: they go, and what is cited or said in them."""
    tenant = await cast.tenant(slug)
    bob = await cast.person(f"bob-{slug}", tenant)
    await cast.member(tenant, bob.id)
    talk = await cast.conversation(tenant, bob.id)
    for deleted_at in (None, OLD, RECENT) * 3:
        document = await cast.document(tenant, bob.id, deleted_at=deleted_at)
        message = await cast.message(tenant, talk, bob.id, deleted_at=deleted_at)
        await cast.cite(tenant, message, document)
        other = await cast.conversation(tenant, bob.id, deleted_at=deleted_at)
        for _ in range(3):
            await cast.message(tenant, other, bob.id)
    return tenant


async def _counts(cast: Cast) -> dict[str, int]:
    return {
        table: await cast.connection.fetchval(f"SELECT count(*) FROM {table}") for table in TABLES
    }


async def test_what_is_old_goes_and_nothing_else(
    database: Database, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BATCH", 2)
    for slug in ("acme", "globex"):
        await _furnish(cast, slug)
    before = await _counts(cast)
    gone, said = await _purge(database)
    # Of each workspace: three that were deleted, and the three times three of their conversations.
    assert +gone == {"messages": 24, "documents": 6, "conversations": 6}
    assert said == [
        f"{slug}: 3 conversations, 3 documents, 12 messages" for slug in ("acme", "globex")
    ]
    left = await _counts(cast)
    assert {table: before[table] - left[table] for table in TABLES} == {
        "sessions": 0,
        **+gone,
        "participants": 6,
        "message_documents": 6,
    }
    for table in ("messages", "documents", "conversations"):
        ages = await cast.connection.fetch(f"SELECT DISTINCT deleted_at FROM {table}")
        assert {row[0] for row in ages} == {None, RECENT}
    again, _ = await _purge(database)
    assert again.total() == 0


async def test_what_is_counted_stays_counted(database: Database, cast: Cast) -> None:
    tenant = await _furnish(cast, "acme")
    counters = "SELECT id, message_count, last_sequence, version FROM conversations ORDER BY id"
    before = {row["id"]: tuple(row) for row in await cast.connection.fetch(counters)}
    await _purge(database)
    for row in await cast.connection.fetch(counters):
        assert tuple(row) == before[row["id"]]
    positions = await cast.connection.fetch(
        "SELECT sequence FROM messages WHERE tenant_id = $1 AND conversation_id ="
        " (SELECT id FROM conversations ORDER BY created_at LIMIT 1) ORDER BY sequence",
        tenant,
    )
    assert [row["sequence"] for row in positions] == [1, 3, 4, 6, 7, 9]


async def test_sessions_that_ended_long_ago(database: Database, cast: Cast) -> None:
    bob = await cast.person("bob")
    later = NOW + timedelta(days=1)
    for expires_at, revoked_at in (
        (OLD, None),
        (RECENT, None),
        (later, OLD),
        (later, RECENT),
        (OLD, RECENT),
    ):
        session = await cast.insert(
            "sessions", user_id=bob.id, expires_at=expires_at, revoked_at=revoked_at
        )
        await cast.insert(
            "refresh_tokens", session_id=session, token_hash=session.bytes, expires_at=later
        )
    gone, _ = await _purge(database)
    assert gone["sessions"] == 3
    rows = await cast.connection.fetch("SELECT least(expires_at, revoked_at) FROM sessions")
    assert sorted(row[0] for row in rows)[:2] == [RECENT, RECENT]
    assert len(rows) == 3, "and the one that is alive"
    assert await cast.connection.fetchval("SELECT count(*) FROM refresh_tokens") == 2


async def test_several_at_once(database: Database, cast: Cast) -> None:
    for slug in ("acme", "globex"):
        await _furnish(cast, slug)
    results = await asyncio.gather(*(_purge(database) for _ in range(3)))
    assert sum((gone for gone, _ in results), Counter()).total() == 36


@pytest.mark.parametrize("table", ["messages", "documents", "conversations"])
async def test_what_is_restored_meanwhile_stays(database: Database, cast: Cast, table: str) -> None:
    await _furnish(cast, "acme")
    whole = await _counts(cast)
    async with cast.connection.transaction():
        await cast.connection.execute(
            f"UPDATE {table} SET deleted_at = NULL WHERE deleted_at IS NOT NULL"
        )
        purging = asyncio.create_task(_purge(database))
        await asyncio.sleep(0.5)
    await purging
    left = await _counts(cast)
    lost = 9 if table == "messages" else 0  # those of conversations that were not restored
    assert left[table] == whole[table] - lost


async def test_a_conversation_goes_whole(
    database: Database, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It can be restored while the purge is at it: then nothing of it may be missing."""
    monkeypatch.setattr(module, "BATCH", 2)
    tenant = await cast.tenant("acme")
    bob = await cast.person("bob", tenant)
    await cast.member(tenant, bob.id)
    talk = await cast.conversation(tenant, bob.id, deleted_at=OLD)
    for _ in range(5):
        await cast.message(tenant, talk, bob.id)
    async with cast.connection.transaction():
        await cast.connection.execute("SELECT FROM messages WHERE sequence = 5 FOR UPDATE")
        purging = asyncio.create_task(_purge(database))
        await asyncio.sleep(0.5)
        assert (await _counts(cast))["messages"] == 5
    gone, _ = await purging
    assert +gone == {"conversations": 1, "messages": 5}

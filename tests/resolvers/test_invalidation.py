"""What caches must forget, and when they may no longer be believed."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from core.cache import Cache, MemoryCache, ValkeyCache
from core.valkey import Valkey
from resolvers import invalidation
from resolvers.invalidation import Invalidations
from tests.conftest import Database
from tests.tables.world import Connection
from tests.valkey import ValkeyServer, valkey

__all__ = ["valkey"]

NOTE = """INSERT INTO cache_invalidations (key, transaction_id)
    VALUES ($1, pg_current_xact_id()::text::bigint)"""
ENTRY = "user:somebody"


@pytest.fixture
async def owner(db: Database) -> AsyncIterator[Connection]:
    connection = await db.connect()
    yield connection
    await connection.close()


async def _believes(cache: Cache) -> bool:
    return await cache.get(ENTRY) == [True]


async def test_what_is_noted_is_forgotten(owner: Connection) -> None:
    cache = MemoryCache(60)
    notes = Invalidations(cache, 60)
    assert not notes.are_current()
    await notes.catch_up()
    assert notes.are_current()
    await cache.set({ENTRY: True})
    await notes.catch_up()
    assert await _believes(cache)
    await owner.execute(NOTE, ENTRY)
    await notes.catch_up()
    assert not await _believes(cache)


async def test_what_another_puts_back_is_forgotten_again(
    owner: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = MemoryCache(60)
    notes = Invalidations(cache, 60)
    await owner.execute(NOTE, ENTRY)
    for _ in range(3):
        await notes.catch_up()
        await cache.set({ENTRY: True})
        await notes.catch_up()
        assert not await _believes(cache)
    monkeypatch.setattr(invalidation, "OVERLAP_SECONDS", 0)
    for _ in range(2):
        await notes.catch_up()
    await cache.set({ENTRY: True})
    await notes.catch_up()
    assert await _believes(cache), "but not for ever"


async def test_a_transaction_that_takes_long_is_not_missed(
    db: Database, owner: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither by its reader, nor when others prune what is old."""
    for name in ("OVERLAP_SECONDS", "PRUNE_SECONDS"):
        monkeypatch.setattr(invalidation, name, 0)
    cache = MemoryCache(60)
    mine, other = Invalidations(cache, 60), Invalidations(MemoryCache(60), 0.1)
    await cache.set({ENTRY: True})
    transaction = owner.transaction()
    await transaction.start()
    await owner.execute(NOTE, ENTRY)
    later = await db.connect()
    for _ in range(3):
        await later.execute(NOTE, "user:else")
        await mine.catch_up()
        await other.catch_up()
        await other._prune()
        await asyncio.sleep(other.notes_last)
    await transaction.commit()
    await other.catch_up()
    await other._prune()
    assert await _believes(cache)
    await mine.catch_up()
    assert not await _believes(cache)
    await later.close()


async def test_old_notes_go(owner: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OVERLAP_SECONDS", "PRUNE_SECONDS"):
        monkeypatch.setattr(invalidation, name, 0)
    notes = Invalidations(MemoryCache(0), 0)
    await owner.execute(NOTE, ENTRY)
    for _ in range(4):
        await owner.execute("SELECT pg_current_xact_id()")
        await notes.catch_up()
        await notes._prune()
    assert await owner.fetchval("SELECT count(*) FROM cache_invalidations") == 0


async def test_a_valkey_that_comes_back_with_what_it_saved(
    owner: Connection, valkey: ValkeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Long after the note was heeded."""
    monkeypatch.setattr(invalidation, "OVERLAP_SECONDS", 0)
    connection = Valkey(valkey.url)
    cache = ValkeyCache(connection, 60)
    notes = Invalidations(cache, 60)
    await notes.catch_up()
    await cache.set({ENTRY: True})
    await connection.client.save()
    await owner.execute(NOTE, ENTRY)
    for _ in range(3):
        await notes.catch_up()
        assert notes.are_current()
    assert not await _believes(cache)
    valkey.stop()
    valkey.start()
    gives_up = time.monotonic() + 10
    while not await _believes(cache):
        assert time.monotonic() < gives_up, "it came back without it"
        await asyncio.sleep(0.05)
    await notes.catch_up()
    assert not notes.are_current(), "it has seen that something is wrong"
    await notes.catch_up()
    assert notes.are_current()
    assert not await _believes(cache)
    await connection.close()


async def test_nothing_is_believed_that_cannot_be_forgotten(
    owner: Connection, valkey: ValkeyServer
) -> None:
    connection = Valkey(valkey.url)
    notes = Invalidations(ValkeyCache(connection, 60), 60)
    await notes.catch_up()
    assert notes.are_current()
    valkey.stop()
    await notes.catch_up()
    assert not notes.are_current()
    await connection.close()


async def test_a_reader_who_was_held_up_keeps_nothing(
    owner: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = MemoryCache(60)
    notes = Invalidations(cache, 60)
    await notes.catch_up()
    read = time.monotonic()
    assert notes.may_keep([ENTRY], read)
    await owner.execute(NOTE, ENTRY)
    await notes.catch_up()
    assert not notes.may_keep([ENTRY, "sess:x"], read), "it was heard meanwhile"
    assert notes.may_keep(["sess:x"], read)
    assert notes.may_keep([ENTRY], time.monotonic())
    for name, is_shared in {"FRESH_SECONDS": True, "OVERLAP_SECONDS": False}.items():
        monkeypatch.setattr(cache, "is_shared", is_shared)
        assert notes.may_keep(["sess:x"], time.monotonic() - 0.01)
        monkeypatch.setattr(invalidation, name, 0)
        assert not notes.may_keep(["sess:x"], time.monotonic() - 0.01)

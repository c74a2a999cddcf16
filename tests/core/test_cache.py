import asyncio
import logging
import time
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
from valkey.asyncio import Valkey as Client

import core.valkey
from core.cache import Cache, MemoryCache, ValkeyCache, open_cache
from core.settings import Settings
from core.valkey import TIMEOUT, Valkey
from tests.valkey import ValkeyServer, valkey

__all__ = ["valkey"]


@pytest.fixture
async def shared(valkey: ValkeyServer, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Valkey]:
    monkeypatch.setattr(core.valkey, "PAUSE", 0.1)
    shared = Valkey(valkey.url)
    yield shared
    await shared.close()


@pytest.fixture
def remote(shared: Valkey) -> ValkeyCache:
    return ValkeyCache(shared, 60)


@pytest.fixture(params=["memory", "valkey"])
def cache(request: pytest.FixtureRequest) -> Cache:
    if request.param == "memory":
        return MemoryCache(1)
    return ValkeyCache(request.getfixturevalue("shared"), 1)


async def back(cache: Cache) -> None:
    async with asyncio.timeout(10):
        while not await cache.delete("nothing"):
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    "value",
    [
        *(True, False, 0, -1.5, 2**53, "", "ä\0\n🙂"),
        *([], {}, {"a": [1, None, {"b": "c"}]}),
        pytest.param(["x" * 1_000_000], id="long"),
    ],
)
async def test_json_comes_back(cache: Cache, value: Any) -> None:
    await cache.set({"key": value})
    (kept,) = await cache.get("key")
    assert kept == value
    assert type(kept) is type(value)


async def test_an_id_comes_back_as_text(cache: Cache) -> None:
    await cache.set({"key": UUID(int=1)})
    assert await cache.get("key") == [str(UUID(int=1))]


async def test_what_is_no_json_is_a_mistake(cache: Cache) -> None:
    with pytest.raises(TypeError):
        await cache.set({"key": object()})


async def test_keys_order(cache: Cache) -> None:
    entries = {f"key:{number} {{ä}}": number for number in range(1000)}
    await cache.set(entries)
    keys = [*reversed(entries), "other", next(iter(entries))]
    assert await cache.get(*keys) == [*range(999, -1, -1), None, 0]


async def test_nothing_is_asked_for(cache: Cache, caplog: pytest.LogCaptureFixture) -> None:
    await cache.set({})
    assert await cache.get() == []
    assert await cache.delete()
    assert not caplog.records


async def test_nothing_does_not_tell_whether_valkey_is_back(
    valkey: ValkeyServer, remote: ValkeyCache, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    valkey.stop()
    assert await remote.get("key") == [None]
    await asyncio.sleep(0.12)
    await remote.set({})
    assert len(caplog.records) == 1


async def test_the_last_one_counts(cache: Cache) -> None:
    await cache.set({"key": 1})
    await cache.set({"key": 2})
    assert await cache.get("key") == [2]


async def test_deleted(cache: Cache) -> None:
    await cache.set({"a": 1, "b": 2, "c": 3})
    assert await cache.delete("a", "b", "unknown")
    assert await cache.get("a", "b", "c") == [None, None, 3]


async def test_nobody_changes_what_is_kept(cache: Cache) -> None:
    value = {"list": [1]}
    await cache.set({"key": value})
    value["list"].append(2)
    for _ in range(2):
        (kept,) = await cache.get("key")
        assert kept == {"list": [1]}
        kept["list"].append(3)


async def test_entries_end(cache: Cache) -> None:
    await cache.set({"old": 1, "renewed": 1})
    await asyncio.sleep(0.5)
    await cache.set({"renewed": 2})
    async with asyncio.timeout(10):
        while await cache.get("old") == [1]:
            await asyncio.sleep(0.01)
    assert await cache.get("old", "renewed") == [None, 2]


async def test_a_full_memory_forgets_what_was_not_asked_for_the_longest() -> None:
    cache = MemoryCache(60, size=3)
    await cache.set({"a": 1, "b": 2, "c": 3})
    await cache.get("a")
    await cache.set({"b": 2})
    await cache.set({"d": 4})
    assert await cache.get("a", "b", "c", "d") == [1, 2, None, 4]
    await cache.set({str(number): number for number in range(10)})
    assert await cache.get("a", "6", "7", "8", "9") == [None, None, 7, 8, 9]


async def test_memories_are_apart() -> None:
    await MemoryCache(60).set({"key": 1})
    assert await MemoryCache(60).get("key") == [None]


async def test_no_seconds_is_no_cache(shared: Valkey) -> None:
    cache = open_cache(Settings(cache_seconds=0), shared)
    assert isinstance(cache, MemoryCache)
    await cache.set({"key": 1})
    assert await cache.get("key") == [None]
    assert await cache.delete("key")


async def test_the_settings_choose(shared: Valkey) -> None:
    local = open_cache(Settings(cache_seconds=60), None)
    await local.set({"local": 1})
    cache = open_cache(Settings(cache_seconds=60), shared)
    await cache.set({"key": 1})
    assert await local.get("local", "key") == [1, None]
    assert await shared.ask(lambda client: client.keys()) == [b"key"]


async def test_operators_find_keys_as_they_were_given(shared: Valkey, remote: ValkeyCache) -> None:
    await remote.set({"sess:1": 1})
    assert await shared.ask(lambda client: client.get("sess:1")) == b"1"
    assert 50 < await shared.ask(lambda client: client.ttl("sess:1")) <= 60


async def test_processes_share_it(valkey: ValkeyServer, remote: ValkeyCache) -> None:
    connection = Valkey(valkey.url)
    other = ValkeyCache(connection, 60)
    await remote.set({"key": 1})
    assert await other.get("key") == [1]
    assert await other.delete("key")
    assert await remote.get("key") == [None]
    await connection.close()


async def test_one_round_trip(valkey: ValkeyServer, remote: ValkeyCache) -> None:
    keys = [str(number) for number in range(100)]
    await remote.get("connects")
    async with Client.from_url(valkey.url) as operator:
        before = await _reads(operator)
        await remote.set(dict.fromkeys(keys, 1))
        await remote.get(*keys)
        await remote.delete(*keys)
        assert await _reads(operator) - before < 10


async def _reads(operator: Client) -> int:
    info = await operator.info("stats")
    return int(info["total_reads_processed"])


@pytest.mark.parametrize("text", [b"{", b"", b"\xff", b"nil"])
async def test_what_is_corrupt_is_not_cached(
    shared: Valkey, remote: ValkeyCache, text: bytes
) -> None:
    await shared.ask(lambda client: client.set("corrupt", text))
    await remote.set({"good": 1})
    assert await remote.get("corrupt", "good") == [None, 1]


async def test_what_is_no_text_is_not_cached(shared: Valkey, remote: ValkeyCache) -> None:
    await shared.ask(lambda client: client.zadd("scores", {"a": 1}))
    await remote.set({"good": 1})
    assert await remote.get("scores", "good") == [None, 1]
    await remote.set({"scores": 2})
    assert await remote.get("scores") == [2]


async def test_without_valkey(valkey: ValkeyServer, remote: ValkeyCache) -> None:
    await remote.set({"key": 1})
    valkey.stop()
    for _ in range(3):
        assert await remote.get("key", "other") == [None, None]
        await remote.set({"key": 2})
        assert not await remote.delete("key")
        await asyncio.sleep(0.12)
    valkey.start()
    await back(remote)
    await remote.set({"key": 3})
    assert await remote.get("key") == [3]
    assert await remote.delete("key")


async def test_killed_between_two_gets(valkey: ValkeyServer, remote: ValkeyCache) -> None:
    answers: list[Any | None] = []

    async def ask() -> None:
        while None not in answers:
            answers.extend(await remote.get("key"))

    await remote.set({"key": 1})
    asking = [asyncio.create_task(ask()) for _ in range(20)]
    async with asyncio.timeout(10):
        while 1 not in answers:
            await asyncio.sleep(0.01)
        valkey.stop()
        await asyncio.gather(*asking)
    assert set(answers) == {1, None}


async def test_a_hung_one_holds_up_nobody(valkey: ValkeyServer, remote: ValkeyCache) -> None:
    await remote.set({"key": 1})
    valkey.pause()
    began = time.monotonic()
    assert await asyncio.gather(*(remote.get("key") for _ in range(100))) == [[None]] * 100
    await remote.set({"key": 2})
    assert not await remote.delete("key")
    assert time.monotonic() - began < 10 * TIMEOUT


async def test_stale_entries_are_there_after_a_pause(
    valkey: ValkeyServer, remote: ValkeyCache
) -> None:
    """Why a delete says whether it was done."""
    await remote.set({"key": "stale"})
    valkey.pause()
    assert await remote.get("key") == [None]
    assert not await remote.delete("key")
    valkey.resume()
    await back(remote)
    assert await remote.get("key") == ["stale"]
    assert await remote.delete("key")
    assert await remote.get("key") == [None]


async def test_values_are_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    with ValkeyServer("--maxmemory", "1") as server:
        connection = Valkey(server.url)
        await ValkeyCache(connection, 60).set({"key": "open sesame"})
        await connection.close()
    assert "refuses" in caplog.text
    assert "sesame" not in caplog.text

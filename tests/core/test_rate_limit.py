import asyncio
import hashlib
import time
from collections.abc import AsyncIterator

import pytest
from limits import RateLimitItem, parse

import core.valkey
from core.cache import ValkeyCache
from core.errors import RateLimited
from core.rate_limit import MOMENT, ROOM, Budget, Memory, RateLimits, network
from core.valkey import TIMEOUT, Valkey
from tests.valkey import ValkeyServer, valkey

__all__ = ["valkey"]

ONE, THREE, TEN = parse("1/hour"), parse("3/hour"), parse("10/hour")


@pytest.fixture
async def shared(valkey: ValkeyServer, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Valkey]:
    monkeypatch.setattr(core.valkey, "PAUSE", 0.1)
    shared = Valkey(valkey.url)
    yield shared
    await shared.close()


@pytest.fixture(params=["memory", "valkey"])
def limits(request: pytest.FixtureRequest) -> RateLimits:
    return RateLimits(
        None if request.param == "memory" else request.getfixturevalue("shared"),
    )


async def taken(limits: RateLimits, limit: str, *keys: str) -> bool:
    try:
        await limits.take(parse(limit), "test", *keys)
    except RateLimited:
        return False
    return True


async def left(limits: RateLimits, limit: str = "10/hour") -> int:
    budget = await limits.take(parse(limit), "test", "left")
    assert budget
    return budget.remaining


async def keys_in(shared: Valkey) -> list[str]:
    return sorted(key.decode() for key in await shared.ask(lambda client: client.keys()))


async def back(shared: Valkey) -> None:
    cache = ValkeyCache(shared, 1)
    async with asyncio.timeout(10):
        while not await cache.delete("nothing"):
            await asyncio.sleep(0.01)


async def test_the_budget_goes_down(limits: RateLimits) -> None:
    budgets = [await limits.take(THREE, "test", "ada") for _ in range(3)]
    assert [budget and budget.remaining for budget in budgets] == [2, 1, 0]
    assert {budget and budget.limit for budget in budgets} == {3}
    with pytest.raises(RateLimited) as refused:
        await limits.take(THREE, "test", "ada")
    assert 0 < refused.value.retry_after <= 3600 + MOMENT


async def test_no_limit(limits: RateLimits) -> None:
    assert await limits.take(None, "test", "ada") is None


async def test_no_attempt_at_all(limits: RateLimits) -> None:
    with pytest.raises(RateLimited) as refused:
        await limits.take(parse("0/minute"), "test", "ada")
    assert refused.value.retry_after == 60 + MOMENT


@pytest.mark.parametrize("amount", [1, 5])
async def test_after_the_wait_an_attempt_succeeds(limits: RateLimits, amount: int) -> None:
    limit = parse(f"{amount}/second")
    waits: list[float] = []
    while len(waits) < 2:
        try:
            await limits.take(limit, "test")
        except RateLimited as refused:
            waits.append(refused.retry_after)
            await asyncio.sleep(refused.retry_after)
            budget = await limits.take(limit, "test")
            assert budget
            assert budget.remaining < amount / 2
    assert 0 < waits[0] <= 1 + MOMENT
    assert 0 < waits[1] <= 1 / amount + MOMENT


async def test_the_wait_ends_with_the_window(limits: RateLimits) -> None:
    assert await taken(limits, "1/hour")
    await asyncio.sleep(0.2)
    with pytest.raises(RateLimited) as refused:
        await limits.take(ONE, "test")
    assert refused.value.retry_after < 3600 - 0.1


async def test_refused_attempts_do_not_lengthen_the_wait(limits: RateLimits) -> None:
    assert await taken(limits, "1/second")
    ends = time.monotonic() + 3
    while not await taken(limits, "1/second"):
        assert time.monotonic() < ends
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("attempts", [1, 2])
async def test_the_whole_budget_is_there_again(limits: RateLimits, attempts: int) -> None:
    limit = parse("2/second")
    budgets = [await limits.take(limit, "test") for _ in range(attempts)]
    assert isinstance(budgets[-1], Budget)
    assert 0 < budgets[-1].reset_after <= 2
    await asyncio.sleep(budgets[-1].reset_after)
    budget = await limits.take(limit, "test")
    assert budget
    assert budget.remaining == 1


async def test_a_reset(limits: RateLimits) -> None:
    await limits.reset(ONE, "test", "ada", LONG)
    assert await taken(limits, "1/hour", "ada", LONG)
    assert await taken(limits, "1/hour", "bob")
    await limits.reset(ONE, "test", "ada", LONG)
    assert await taken(limits, "1/hour", "ada", LONG)
    assert not await taken(limits, "1/hour", "bob")
    await limits.reset(None, "test", "bob")


async def test_a_reset_counts_for_the_window_before(limits: RateLimits) -> None:
    limit = parse("5/second")
    with pytest.raises(RateLimited) as refused:
        while True:
            await limits.take(limit, "test")
    await asyncio.sleep(refused.value.retry_after)
    assert await taken(limits, "5/second")
    await limits.reset(limit, "test")
    budget = await limits.take(limit, "test")
    assert budget
    assert budget.remaining == 4


async def test_at_once_no_more_than_the_limit(limits: RateLimits) -> None:
    attempts = await asyncio.gather(*(taken(limits, "10/hour", "ada") for _ in range(100)))
    assert sum(attempts) == 10


async def test_limits_names_and_keys_are_apart(limits: RateLimits) -> None:
    apart: list[tuple[RateLimitItem, str, list[str]]] = [
        (ONE, "a", ["x"]),
        (parse("1/day"), "a", ["x"]),
        (TEN, "a", ["x"]),
        (ONE, "b", ["x"]),
        (ONE, "a", ["y"]),
        (ONE, "a", ["x", "y"]),
        (ONE, "a", []),
    ]
    for limit, name, keys in apart:
        budget = await limits.take(limit, name, *keys)
        assert budget
        assert budget.remaining == budget.limit - 1


LONG = "x" * 1_000_000
HASHED = "#" + hashlib.sha256(b" ").hexdigest()
ODD = [
    *((), ("",), ("", ""), (" ",), ("\0",), ("\n",), ("a|b",), ("a", "b"), ("ab",), ("a|", "b")),
    *(
        ("ä",),
        ("a\u0308",),
        ("\ud800",),
        ("\udc80",),
        (LONG,),
        (LONG + "x",),
        (HASHED,),
        (HASHED[1:],),
    ),
    *(("ada@example.com",), ("2001:db8::/64",), ("A",), ("{a}",), ("a:b",), ("*",), ("..",)),
]


async def test_odd_keys_are_apart(limits: RateLimits) -> None:
    assert [await taken(limits, "1/hour", *keys) for keys in ODD] == [True] * len(ODD)
    assert [await taken(limits, "1/hour", *keys) for keys in ODD] == [False] * len(ODD)


async def test_keys_are_short(shared: Valkey) -> None:
    limits = RateLimits(shared)
    for keys in ODD:
        await taken(limits, "1/hour", *keys)
    kept = await keys_in(shared)
    assert len(kept) == len(ODD)
    assert all(key.startswith("rate:") and len(key) < 200 for key in kept)


async def test_operators_can_read_keys(shared: Valkey) -> None:
    limits = RateLimits(shared)
    await limits.take(TEN, "sign_in_account", "ada@example.com")
    await limits.take(TEN, "sign_in_address", network("2001:db8::1"))
    assert await keys_in(shared) == [
        "rate:10/3600:sign_in_account:ada@example.com",
        "rate:10/3600:sign_in_address:2001:db8::/64",
    ]


async def test_keys_end(shared: Valkey) -> None:
    assert await taken(RateLimits(shared), "1/second")
    async with asyncio.timeout(10):
        while await keys_in(shared):
            await asyncio.sleep(0.05)


async def test_processes_count_together(valkey: ValkeyServer, shared: Valkey) -> None:
    connection = Valkey(valkey.url)
    other = RateLimits(connection)
    assert [await left(RateLimits(shared)), await left(other)] == [9, 8]
    await connection.close()


async def test_without_valkey_each_counts_by_itself() -> None:
    assert [await left(RateLimits(None)), await left(RateLimits(None))] == [9, 9]


async def test_a_loss_in_the_middle(valkey: ValkeyServer, shared: Valkey) -> None:
    limits = RateLimits(shared)
    assert [await left(limits), await left(limits)] == [9, 8]
    valkey.stop()
    assert [await left(limits) for _ in range(10)] == [*range(9, -1, -1)]
    assert not await taken(limits, "10/hour", "left")
    await limits.reset(TEN, "test", "left")
    assert await left(limits) == 9
    valkey.start()
    await back(shared)
    assert await left(limits) == 9
    assert "rate:10/3600:test:left" in await keys_in(shared)


async def test_a_hung_one_holds_up_nobody(valkey: ValkeyServer, shared: Valkey) -> None:
    limits = RateLimits(shared)
    assert await left(limits) == 9
    valkey.pause()
    began = time.monotonic()
    counts = await asyncio.gather(*(left(limits, "100/hour") for _ in range(100)))
    assert time.monotonic() - began < 10 * TIMEOUT
    assert sorted(counts) == list(range(100))


async def test_the_cache_and_the_limits_learn_of_a_loss_from_each_other(
    valkey: ValkeyServer, shared: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(core.valkey, "PAUSE", 60)
    valkey.stop()
    assert await ValkeyCache(shared, 60).get("key") == [None]
    valkey.start()
    assert await left(RateLimits(shared)) == 9
    operator = Valkey(valkey.url)
    assert await keys_in(operator) == []
    await operator.close()


async def test_a_key_of_another_type(shared: Valkey) -> None:
    limits = RateLimits(shared)
    await shared.ask(lambda client: client.zadd("rate:10/3600:test:left", {"a": 1}))
    assert [await left(limits), await left(limits)] == [9, 8]
    assert await ValkeyCache(shared, 60).delete("key")


async def test_memory_runs_no_task_and_forgets() -> None:
    memory = Memory()
    limit = parse("1/minute")
    for number in range(ROOM):
        memory.take(limit, str(number))
    assert len(asyncio.all_tasks()) == 1
    for key in list(memory.counts)[:-10]:
        memory.counts[key] = memory.counts[key]._replace(ends=0.0)
    memory.take(limit, "another")
    assert len(memory.counts) == 11


async def test_memory_keeps_what_still_counts() -> None:
    memory = Memory()
    limit = parse("1/hour")
    keys = [str(number) for number in range(3 * ROOM)]
    assert all(memory.take(limit, key)[0] for key in keys)
    assert not any(memory.take(limit, key)[0] for key in keys)


async def test_many_keys_do_not_slow_memory_down() -> None:
    memory = Memory()
    limit = parse("1/hour")
    began = time.monotonic()
    for number in range(30 * ROOM):
        memory.take(limit, str(number))
    assert time.monotonic() - began < 8


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        (None, "unknown"),
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("::ffff:c000:201", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:DB8:1:2::", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("fe80::1%eth1", "fe80::/64"),
        ("::ffff:192.0.2.1%eth0", "192.0.2.1"),
        ("::1", "::/64"),
        ("testclient", "testclient"),
        ("192.0.2.256", "192.0.2.256"),
    ],
)
def test_networks(address: str | None, counted: str) -> None:
    assert network(address) == counted


def test_an_address_that_is_none_is_bounded() -> None:
    for address in ["", "\0", LONG, "\ud800", "192.0.2.1 "]:
        assert 0 < len(network(address)) <= 100
        assert network(address) != network(address + "x")

"""What processes tell each other, over PostgreSQL and over Valkey."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager, suppress

import pytest

from core import bus as module
from core.bus import PAYLOAD_BYTES, Bus, PostgresBus, ValkeyBus, payloads
from core.valkey import Valkey
from tests.conftest import Database
from tests.valkey import ValkeyServer, valkey

__all__ = ["valkey"]

SOON = 10.0
KIND = ["postgres", "valkey"]
Heard = list[Collection[str] | None]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(SOON):
        while not condition():
            await asyncio.sleep(0.01)


@asynccontextmanager
async def running(bus: Bus) -> AsyncIterator[Bus]:
    task = asyncio.create_task(bus.run())
    try:
        yield bus
    finally:
        task.cancel()
        await asyncio.wait([task])


@pytest.fixture(params=KIND)
async def pair(
    request: pytest.FixtureRequest, database: Database, valkey: ValkeyServer
) -> AsyncIterator[tuple[Bus, Bus, Heard, Heard]]:
    """Two that are connected, and what they have heard since."""
    heard: tuple[Heard, Heard] = ([], [])
    clients = [Valkey(valkey.url), Valkey(valkey.url)]
    url = database.url("parley_app")
    one, other = [
        PostgresBus(heard[n].append, url)
        if request.param == "postgres"
        else ValkeyBus(heard[n].append, clients[n])
        for n in (0, 1)
    ]
    async with running(one), running(other):
        await until(lambda: all(heard))
        assert heard == ([None], [None]), "what was said before, nobody knows"
        for n in (0, 1):
            heard[n].clear()
        yield one, other, *heard
    for client in clients:
        await client.close()


def keys(heard: Heard) -> set[str]:
    return {key for said in heard for key in said or ()}


Pair = tuple[Bus, Bus, Heard, Heard]


async def test_here_at_once_and_there_soon_and_not_again(pair: Pair) -> None:
    one, _, here, there = pair
    one.publish(["a"])
    assert here == [["a"]]
    await until(lambda: keys(there) == {"a"})
    one.publish(["b"])
    await until(lambda: keys(there) == {"a", "b"})
    assert here == [["a"], ["b"]]


async def test_many_keys_are_few_messages(pair: Pair) -> None:
    one, _, _, there = pair
    many = [f"conversation:{number:060}" for number in range(2_000)]
    for key in many:
        one.publish([key])
        one.publish([key])
    await until(lambda: keys(there) == set(many))
    assert len(there) < 25


def test_no_message_is_too_long() -> None:
    given = {f"conversation:{number:080}" for number in range(500)}
    made = [*payloads("sender", given)]
    assert {key for payload in made for key in payload.split(" ")[1:]} == given
    assert max(len(payload.encode()) for payload in made) <= PAYLOAD_BYTES
    assert [*payloads("sender", [])] == []


async def test_the_connection_is_cut(pair: Pair, database: Database, valkey: ValkeyServer) -> None:
    one, _, here, there = pair
    if isinstance(one, PostgresBus):
        admin = await database.connect("postgres")
        await admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'parley bus' AND datname = current_database()"
        )
        await admin.close()
    else:
        valkey.stop()
        valkey.start()
    await until(lambda: None in here and None in there)
    for number in range(200):
        before = len(there)
        one.publish([f"after-{number}"])
        with suppress(TimeoutError):
            async with asyncio.timeout(SOON / 4):
                while [f"after-{number}"] not in there[before:]:
                    await asyncio.sleep(0.01)
                return
    raise AssertionError("it is not heard again")


async def test_a_valkey_that_hangs(valkey: ValkeyServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its connections stay, and nothing comes."""
    monkeypatch.setattr(module, "PING_SECONDS", 0.2)
    monkeypatch.setattr(module, "CONNECT_SECONDS", 0.3)
    heard: Heard = []
    client = Valkey(valkey.url)
    async with running(ValkeyBus(heard.append, client)):
        await until(lambda: heard == [None])
        await asyncio.sleep(1)
        assert heard == [None], "it answers, and is left alone"
        valkey.pause()
        await asyncio.sleep(1)
        valkey.resume()
        await until(lambda: heard == [None, None])
    await client.close()


async def test_what_is_no_message(valkey: ValkeyServer) -> None:
    """Whoever else uses the channel is not understood, and does not silence the others."""
    heard: Heard = []
    client = Valkey(valkey.url)
    async with running(ValkeyBus(heard.append, client)):
        await until(lambda: heard == [None])
        for said in (b"\xff\xfe", b"", "other key"):
            await client.client.publish(module.CHANNEL, said)
        await until(lambda: ["key"] in heard)
    await client.close()


@pytest.mark.parametrize("kind", KIND)
async def test_nobody_is_there_at_first(
    kind: str, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is said then is made up for by saying that some is lost."""
    heard: Heard = []
    with ValkeyServer() as server:
        server.stop()
        client = Valkey(server.url)
        bus: Bus = ValkeyBus(heard.append, client)
        if kind == "postgres":
            bus = PostgresBus(heard.append, "postgresql://parley_app@127.0.0.1:1/parley")
        async with running(bus):
            bus.publish(["a"])
            await asyncio.sleep(1)
            assert heard == [["a"]]
            if kind == "valkey":
                server.start()
            else:
                bus._url = database.url("parley_app")  # type: ignore[attr-defined]
            await until(lambda: heard[-1] is None)
        with suppress(Exception):
            await client.close()


async def test_what_could_not_be_sent_is_made_up_for(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, _, here, there = pair
    send, failures = one._send, iter(range(3))

    async def failing(payload: str) -> None:
        if next(failures, None) is not None:
            raise ConnectionError
        await send(payload)

    monkeypatch.setattr(one, "_send", failing)
    one.publish(["a"])
    await until(lambda: there == [None])
    one.publish(["b"])
    await until(lambda: there == [None, ["b"]])
    assert here == [["a"], ["b"]]

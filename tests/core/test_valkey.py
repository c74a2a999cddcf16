import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable

import pytest
import uvloop
from valkey.asyncio import SSLConnection
from valkey.asyncio import Valkey as Client

import core.valkey
from core.settings import Settings
from core.valkey import CONNECTIONS, TIMEOUT, Away, Valkey
from tests.valkey import ValkeyServer, valkey

__all__ = ["valkey"]


PASSWORD = "open sesame"


@pytest.fixture
async def shared(valkey: ValkeyServer) -> AsyncIterator[Valkey]:
    shared = Valkey(valkey.url)
    yield shared
    await shared.close()


@pytest.fixture
def short_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core.valkey, "PAUSE", 0.1)


async def ping(client: Client) -> bool:
    return bool(await client.ping())


class Questions:
    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, client: Client) -> Awaitable[bool]:
        self.asked += 1
        return ping(client)


async def answered(shared: Valkey, question: Questions) -> bool:
    try:
        return await shared.ask(question)
    except Away:
        return False


async def back(shared: Valkey) -> None:
    async with asyncio.timeout(10):
        while not await answered(shared, Questions()):
            await asyncio.sleep(0.01)


async def test_it_answers(shared: Valkey) -> None:
    assert await shared.ask(ping)


@pytest.mark.parametrize("scheme", ["valkey", "redis"])
async def test_schemes(valkey: ValkeyServer, scheme: str) -> None:
    shared = Valkey(valkey.url.replace("valkey", scheme))
    assert await shared.ask(ping)
    await shared.close()


@pytest.mark.parametrize("scheme", ["valkeys", "rediss"])
@pytest.mark.parametrize(("query", "checked"), [("", True), ("?ssl_check_hostname=no", False)])
async def test_the_name_in_a_certificate_counts(scheme: str, query: str, checked: bool) -> None:
    pool = Valkey(f"{scheme}://host/0{query}").client.connection_pool
    connection = pool.connection_class(**pool.connection_kwargs)
    assert isinstance(connection, SSLConnection)
    assert connection.ssl_context.get().check_hostname is checked


@pytest.mark.parametrize(
    "url", ["", "http://:sesame@host", "valkey://:ses/ame@host", "valkey://host?sesame=1"]
)
def test_a_url_that_is_none_is_not_shown(url: str) -> None:
    with pytest.raises(ValueError, match=r"^PARLEY_VALKEY_URL is not of the form \S+$") as caught:
        Valkey(url)
    assert caught.value.__suppress_context__


async def test_the_setting(valkey: ValkeyServer) -> None:
    assert Valkey.of(Settings(valkey_url=None)) is None
    shared = Valkey.of(Settings.model_validate({"valkey_url": valkey.url}))
    assert shared
    assert await shared.ask(ping)
    await shared.close()


async def test_a_dead_one_is_not_asked_for_a_while(valkey: ValkeyServer, shared: Valkey) -> None:
    question = Questions()
    valkey.stop()
    lost = time.monotonic()
    for _ in range(10):
        assert not await answered(shared, question)
    assert question.asked == 1
    valkey.start()
    await back(shared)
    assert time.monotonic() - lost > 0.5


@pytest.mark.usefixtures("short_pause")
async def test_then_one_tries_for_all(valkey: ValkeyServer, shared: Valkey) -> None:
    valkey.pause()
    assert not await answered(shared, Questions())
    await asyncio.sleep(0.15)
    question = Questions()
    assert not any(await asyncio.gather(*(answered(shared, question) for _ in range(50))))
    assert question.asked == 1


async def test_many_wait_no_longer_than_one(valkey: ValkeyServer, shared: Valkey) -> None:
    many = 4 * CONNECTIONS
    assert all(await asyncio.gather(*(answered(shared, Questions()) for _ in range(many))))
    valkey.pause()
    began = time.monotonic()
    assert not any(await asyncio.gather(*(answered(shared, Questions()) for _ in range(many))))
    assert time.monotonic() - began < 10 * TIMEOUT


async def test_a_burst_queues(shared: Valkey, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core.valkey, "TIMEOUT", 10)  # not how fast, but how
    assert all(await asyncio.gather(*(answered(shared, Questions()) for _ in range(500))))
    clients = await shared.ask(lambda client: client.client_list())
    assert len(clients) <= CONNECTIONS


@pytest.mark.usefixtures("short_pause")
async def test_a_restart_is_survived(valkey: ValkeyServer, shared: Valkey) -> None:
    assert await shared.ask(ping)
    valkey.stop()
    valkey.start()
    await back(shared)


@pytest.mark.usefixtures("short_pause")
async def test_idle_connections_are_not_trusted_after_a_loss(
    valkey: ValkeyServer, shared: Valkey
) -> None:
    await asyncio.gather(*(answered(shared, Questions()) for _ in range(10)))
    idle = shared.client.connection_pool._available_connections
    assert sum(connection.is_connected for connection in idle) > 1
    valkey.pause()
    assert not await answered(shared, Questions())
    assert not any(connection.is_connected for connection in idle)


@pytest.mark.usefixtures("short_pause")
async def test_a_line_when_it_goes_and_one_when_it_is_back(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    with ValkeyServer("--requirepass", PASSWORD) as server:
        shared = Valkey(server.url.replace("://", f"://:{PASSWORD.replace(' ', '%20')}@"))
        assert await shared.ask(ping)
        server.stop()
        for _ in range(5):
            await asyncio.gather(*(answered(shared, Questions()) for _ in range(10)))
            await asyncio.sleep(0.12)
        server.start()
        await back(shared)
        await shared.close()
    lines = [(record.name, record.levelname) for record in caplog.records]
    assert lines == [("parley.valkey", "WARNING"), ("parley.valkey", "INFO")]
    assert f"Valkey at 127.0.0.1:{server.port}/0 is away" in caplog.text
    assert "sesame" not in caplog.text


async def test_a_wrong_password_is_not_shown(caplog: pytest.LogCaptureFixture) -> None:
    with ValkeyServer("--requirepass", PASSWORD) as server:
        shared = Valkey(server.url.replace("://", "://:open-barley@"))
        assert not await answered(shared, Questions())
        await shared.close()
    assert "invalid username-password" in caplog.text
    assert "barley" not in caplog.text


async def test_a_refusal_is_no_outage(shared: Valkey, caplog: pytest.LogCaptureFixture) -> None:
    await shared.ask(lambda client: client.set("text", "a"))
    for _ in range(3):
        with pytest.raises(Away):
            await shared.ask(lambda client: client.incr("text"))
        assert await shared.ask(ping)
    (record,) = caplog.records
    assert "refuses" in record.getMessage()


@pytest.mark.usefixtures("short_pause")
async def test_a_refusal_shows_that_it_is_back(valkey: ValkeyServer, shared: Valkey) -> None:
    valkey.stop()
    assert not await answered(shared, Questions())
    valkey.start()
    await asyncio.sleep(0.15)
    with pytest.raises(Away):
        await shared.ask(lambda client: client.config_set("unknown", "1"))
    assert await shared.ask(ping)


async def test_who_hangs_up_is_no_outage(valkey: ValkeyServer, shared: Valkey) -> None:
    valkey.pause()
    hung = asyncio.create_task(shared.ask(ping))
    await asyncio.sleep(0.02)
    hung.cancel()
    with pytest.raises(asyncio.CancelledError):
        await hung
    valkey.resume()
    assert await shared.ask(ping)


def test_a_loss_in_the_middle_on_the_loop_that_serves() -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_killed_under_load())


async def _killed_under_load() -> None:
    async def user(shared: Valkey) -> int:
        answers = 0
        while await answered(shared, Questions()):
            answers += 1
        return answers

    with ValkeyServer() as server:
        shared = Valkey(server.url)
        users = [asyncio.create_task(user(shared)) for _ in range(2 * CONNECTIONS)]
        await asyncio.sleep(0.1)
        server.stop()
        async with asyncio.timeout(5):
            assert sum(await asyncio.gather(*users)) > len(users)
        await shared.close()


def test_an_idle_connection_that_was_reset_on_the_loop_that_serves() -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_reset_while_idle())


async def _reset_while_idle() -> None:
    with ValkeyServer() as server:
        shared = Valkey(server.url)
        assert await shared.ask(ping)
        (idle,) = shared.client.connection_pool._available_connections
        assert idle._writer
        server.pause()
        idle._writer.write(b"PING\r\n")  # who dies without reading it, resets
        server.stop()
        await asyncio.sleep(0.05)
        with pytest.raises(Away):
            await shared.ask(ping)
        await shared.close()

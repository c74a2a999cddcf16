"""Who hangs up stops what runs for them, and nothing else does."""

import asyncio
from contextlib import suppress
from typing import Any

import pytest
from starlette.requests import ClientDisconnect

from server.disconnects import WhileConnected, body_of


class Connection:
    """What an ASGI server tells of it."""

    def __init__(self, *messages: dict[str, Any]) -> None:
        self.messages = list(messages)
        self.asked = 0
        self.gone = asyncio.Event()

    async def receive(self) -> dict[str, Any]:
        self.asked += 1
        if self.messages:
            return self.messages.pop(0)
        await self.gone.wait()
        return {"type": "http.disconnect"}


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.disconnects.SOON", 0.01)


async def test_what_ends_soon_is_not_watched() -> None:
    connection = Connection()
    with WhileConnected(connection.receive):
        await asyncio.sleep(0)
    await asyncio.sleep(0.03)
    assert connection.asked == 0


async def test_what_ends_later_ends_as_it_would() -> None:
    connection = Connection()
    with WhileConnected(connection.receive):
        await asyncio.sleep(0.03)
    assert connection.asked == 1
    connection.gone.set()
    await asyncio.sleep(0.03)  # nobody is cancelled any more


async def test_who_hangs_up_cancels() -> None:
    connection = Connection()
    asyncio.get_running_loop().call_later(0.03, connection.gone.set)
    ended = False
    with pytest.raises(ClientDisconnect), WhileConnected(connection.receive):
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0)  # as a rollback does
            ended = True
    assert ended
    await asyncio.sleep(0)
    task = asyncio.current_task()
    assert task is not None
    assert not task.cancelling()


async def test_who_cannot_be_heard_any_more(caplog: pytest.LogCaptureFixture) -> None:
    """Is taken for gone, and the log says why."""

    async def receive() -> dict[str, Any]:
        raise RuntimeError("broken")

    with pytest.raises(ClientDisconnect), WhileConnected(receive):
        await asyncio.sleep(60)
    assert "broken" in caplog.text


async def test_who_is_gone_in_the_same_moment_in_which_it_is_done() -> None:
    connection = Connection()
    connection.gone.set()
    for seconds in (0.009, 0.01, 0.0101, 0.011):
        with suppress(ClientDisconnect), WhileConnected(connection.receive):
            await asyncio.sleep(seconds)
        await asyncio.sleep(0.005)  # it is not cancelled here


async def test_the_cancellation_of_others_stays_one() -> None:
    connection = Connection()

    async def work() -> None:
        with WhileConnected(connection.receive):
            await asyncio.sleep(60)

    task = asyncio.ensure_future(work())
    await asyncio.sleep(0.03)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_limits_of_time_hold_inside() -> None:
    connection = Connection()
    with WhileConnected(connection.receive), pytest.raises(TimeoutError):
        async with asyncio.timeout(0.03):
            await asyncio.sleep(60)


async def test_bodies() -> None:
    first = {"type": "http.request", "body": b"a", "more_body": True}
    assert await body_of(Connection(first, {"type": "http.request"}).receive) == b"a"
    broken = Connection(first, {"type": "http.disconnect"})
    with pytest.raises(ClientDisconnect):
        await body_of(broken.receive)

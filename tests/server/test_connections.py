"""How many sockets and event streams there may be, of whom, and how they end."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.server.pair import PROMISED, REVOKE, Pair, paired, until
from tests.server.processes import LONG, TOKENS, bearer, token_of
from tests.server.sockets import FOLLOW, Room, Socket, raw_socket, room_of, socket_of
from tests.server.test_event_stream import following, streaming

pytestmark = pytest.mark.asyncio(loop_scope="module")

LIMIT_REACHED = "LIMIT_REACHED"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pair(postgres: Path) -> AsyncIterator[Pair]:
    async with paired(
        postgres,
        None,
        max_connections=3,
        max_operations=5,
        connection_init_seconds=0.5,
        allowed_origins='["https://app.example.com"]',
    ) as pair:
        yield pair
        assert "Traceback" not in pair.a.said() + pair.b.said()


async def test_who_says_nothing_is_not_waited_for(pair: Pair) -> None:
    async with raw_socket(pair.a) as socket:
        assert await socket.closed() == (4408, "Connection initialisation timeout")
    async with raw_socket(pair.a) as socket:
        await socket.send("ping")
        assert await socket.receive() == {"type": "pong"}
        assert (await socket.closed())[0] == 4408


async def test_operations_of_a_socket(pair: Pair) -> None:
    room = await room_of(pair)
    async with socket_of(pair.a, room.bob) as socket:
        for number in range(5):
            await socket.follow(room, str(number))
        (error,) = await socket.answer("{ __typename }", "more")
        assert error["extensions"]["code"] == LIMIT_REACHED
        await socket.send("complete", "0")
        assert (await socket.answer("{ __typename }", "more"))["data"]


async def test_what_the_operations_of_a_socket_hold(pair: Pair) -> None:
    """As long as they run."""
    room = await room_of(pair)
    variables = {"talk": room.id, "unknown": "x" * 900_000}
    async with socket_of(pair.a, room.bob) as socket:
        for id in "1235":
            await socket.ask(FOLLOW, id, **variables)
        (error,) = await socket.answer(FOLLOW, "4", **variables)
        assert error["extensions"]["code"] == LIMIT_REACHED
        await socket.send("complete", "1")
        await socket.ask(FOLLOW, "4", **variables)
        assert (await socket.answer("{ __typename }", "more"))["data"]


async def test_connections_of_a_person(pair: Pair) -> None:
    """Sockets and event streams, at each process, and of nobody else."""
    room = await room_of(pair)
    async with AsyncExitStack() as stack:
        for _ in range(2):
            await stack.enter_async_context(socket_of(pair.a, room.bob))
        stream = following(pair.a, room, room.bob, after=room.beginning)
        opened = await stack.enter_async_context(stream)
        assert opened.answer.status_code == 200
        async with raw_socket(pair.a) as socket:
            await socket.send("connection_init", payload=bearer(token_of(room.bob)))
            code, reason = await socket.closed()
            assert (code, reason.partition(":")[0]) == (1013, LIMIT_REACHED)
        async with following(pair.a, room, room.bob) as refused:
            assert refused.answer.status_code == 429
            answer = httpx.Response(200, content=await refused.answer.aread()).json()
            assert answer["errors"][0]["extensions"]["code"] == LIMIT_REACHED
        async with socket_of(pair.a, room.ada), socket_of(pair.b, room.bob):
            pass
    await until(lambda: has_room(pair, room))


async def has_room(pair: Pair, room: Room) -> bool:
    async with raw_socket(pair.a) as socket:
        await socket.send("connection_init", payload=bearer(token_of(room.bob)))
        with suppress(ConnectionClosed):
            return bool(await socket.receive())
        return False


@pytest.mark.parametrize(
    ("origin", "is_welcome"),
    [
        (None, True),
        ("https://app.example.com", True),
        ("HTTPS://APP.EXAMPLE.COM:443", True),
        ("own", True),
        ("https://app.example.com.evil.example", False),
        ("https://evil.example", False),
        ("http://app.example.com", False),
        ("https://app.example.com:444", False),
        ("null", False),
        ("", False),
        ("https://[", False),
    ],
)
async def test_pages_of_other_sites(pair: Pair, origin: str | None, is_welcome: bool) -> None:
    """They are refused before there is a socket."""
    host = str(pair.a.http.base_url).rstrip("/")
    headers = {} if origin is None else {"Origin": host if origin == "own" else origin}
    if is_welcome:
        async with raw_socket(pair.a, additional_headers=headers):
            return
    with pytest.raises(InvalidStatus) as refused:
        async with raw_socket(pair.a, additional_headers=headers):
            pass
    assert refused.value.response.status_code == 403


def until_closed(socket: Socket) -> "asyncio.Task[tuple[tuple[int | None, str], float]]":
    async def wait() -> tuple[tuple[int | None, str], float]:
        return await socket.closed(), time.monotonic()

    return asyncio.create_task(wait())


ENDINGS = {
    "the session is revoked": REVOKE,
    "the person is locked out": "UPDATE users SET is_active = false WHERE id = $1",
    "the person is gone": "DELETE FROM users WHERE id = $1",
}


@pytest.mark.parametrize("ending", ENDINGS)
async def test_the_end_of_a_session_closes_its_sockets(pair: Pair, ending: str) -> None:
    """Those that only wait, too."""
    room = await room_of(pair)
    async with AsyncExitStack() as stack:
        closings = []
        for server in (pair.a, pair.b):
            socket = await stack.enter_async_context(socket_of(server, room.bob))
            if server is pair.a:
                await room.began(socket)
            closings.append(until_closed(socket))
        other = await stack.enter_async_context(socket_of(pair.a, room.ada))
        began = time.monotonic()
        await pair.cast.connection.execute(ENDINGS[ending], room.bob.id)
        for (code, reason), ended in await asyncio.gather(*closings):
            assert code == 4403
            assert reason.startswith("UNAUTHENTICATED: ")
            assert ended - began < 2 * PROMISED
        assert (await other.answer("{ __typename }"))["data"]


async def test_signing_out_closes_the_socket(pair: Pair) -> None:
    room = await room_of(pair)
    async with socket_of(pair.a, room.bob) as socket:
        closing = until_closed(socket)
        client = pair.a.signed_in(room.bob)
        assert (await client.mutate("signOut"))["errors"] == []
        assert (await closing)[0][0] == 4403


async def test_a_token_expires(pair: Pair) -> None:
    room = await room_of(pair)
    token = TOKENS.sign(room.bob.id, room.bob.session_id, expires_in=timedelta(seconds=-8))
    async with raw_socket(pair.a) as socket:
        await socket.send("connection_init", payload=bearer(token))
        assert await socket.receive() == {"type": "connection_ack"}
        code, reason = await socket.closed()
        assert (code, reason.partition(":")[0]) == (4403, "UNAUTHENTICATED")
    token = TOKENS.sign(room.bob.id, room.bob.session_id, expires_in=timedelta(seconds=-8))
    query = "subscription { inboxChanges { id } }"
    async with streaming(pair.a, bearer(token), query) as stream:
        (_, answer), last = await stream.rest()
        assert [error["extensions"]["code"] for error in answer["errors"]] == ["UNAUTHENTICATED"]
        assert last == ("complete", None)


LOSSES = {
    "NOT_FOUND": "DELETE FROM participants WHERE user_id = $1",
    "FORBIDDEN": "UPDATE memberships SET is_active = false WHERE user_id = $1",
}


@pytest.mark.parametrize("code", LOSSES)
async def test_an_operation_ends_with_its_access(pair: Pair, code: str) -> None:
    """The socket stays: other operations may be of what is still seen."""
    room = await room_of(pair)
    async with socket_of(pair.a, room.bob) as socket:
        await room.began(socket)
        await pair.cast.connection.execute(LOSSES[code], room.bob.id)
        message = await socket.receive()
        assert (message["type"], message["id"]) == ("error", "1")
        assert [error["extensions"]["code"] for error in message["payload"]] == [code]
        assert (await socket.answer("{ __typename }"))["data"]


async def test_a_process_that_stops_lets_its_clients_go_on(postgres: Path) -> None:
    """What is asked is answered, and nothing is missed at the next process."""
    async with paired(postgres, None) as pair:
        room = await room_of(pair)
        async with (
            socket_of(pair.a, room.bob) as socket,
            following(pair.a, room, room.bob, after=room.beginning) as stream,
        ):
            await room.began(socket)
            began = await stream.change()
            async with pair.cast.connection.transaction():
                await pair.cast.connection.execute(
                    "SELECT FROM conversations WHERE id = $1 FOR UPDATE", room.talk
                )
                await socket.ask(
                    "mutation ($input: SendMessageInput!) { sendMessage(input: $input) {"
                    " errors { code } message { content } } }",
                    "send",
                    input={"conversationId": room.id, "content": "while it stops"},
                )
                await until(lambda: is_waiting(pair))
                pair.a.process.send_signal(signal.SIGTERM)
                await asyncio.sleep(0.5)
            messages = [await socket.receive() for _ in range(2)]
            assert [message["id"] for message in messages if message["type"] == "next"][:1]
            sent = next(m for m in messages if m["id"] == "send")
            assert sent["payload"]["data"]["sendMessage"]["errors"] == []
            assert await socket.closed() == (1001, "GOING_AWAY: The server stops: connect again.")
            events = await stream.rest()
            assert "complete" not in [name for name, _ in events]
        await asyncio.to_thread(pair.a.process.wait, LONG)
        await room.say("after it has stopped", pair.b)
        async with following(pair.b, room, room.bob, after=began["cursor"]) as stream:
            contents = [(await stream.change())["message"]["content"] for _ in range(2)]
        assert contents == ["while it stops", "after it has stopped"]
        assert "Cancel" not in pair.a.said()
        assert "Traceback" not in pair.a.said()


async def is_waiting(pair: Pair) -> bool:
    waiting = await pair.admin.fetchval(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )
    return bool(waiting)

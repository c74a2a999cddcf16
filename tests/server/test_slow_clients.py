"""Clients that do not read what they are sent, or read it slowly."""

import asyncio
import json
import signal
import socket as sockets
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path

import psutil
import pytest
from starlette.types import Message

from server import websocket_protocol
from server.app import create_app
from tests.conftest import Database
from tests.graph import SETTINGS
from tests.server.pair import Pair, paired, until
from tests.server.processes import LONG, token_of
from tests.server.serving import serving
from tests.server.sockets import FOLLOW, PROTOCOL, Room, room_of, socket_of
from tests.server.test_connections import has_room

Deaf = Callable[[Pair, Room], AbstractAsyncContextManager[None]]
BYTES = 50e6
"""By which a process may grow."""


async def much(pair: Pair) -> Room:
    """More than buffers hold."""
    room = await room_of(pair)
    for _ in range(300):
        await pair.cast.message(room.tenant, room.talk, room.ada.id, content="x" * 50_000)
    return room


def connected(pair: Pair) -> sockets.socket:
    """With little room for what is not read."""
    connection = sockets.socket()
    connection.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4096)
    connection.connect((pair.a.http.base_url.host, pair.a.http.base_url.port))
    return connection


@asynccontextmanager
async def deaf_socket(pair: Pair, room: Room) -> AsyncIterator[None]:
    async with socket_of(
        pair.a, room.bob, sock=connected(pair), max_queue=1, close_timeout=0.1, compression=None
    ) as deaf:
        await deaf.follow(room, after=room.beginning)
        yield


@asynccontextmanager
async def deaf_stream(pair: Pair, room: Room) -> AsyncIterator[None]:
    variables = {"talk": room.id, "after": room.beginning}
    body = json.dumps({"query": FOLLOW, "variables": variables})
    lines = [
        "POST /graphql HTTP/1.1",
        "Host: parley.test",
        "Accept: text/event-stream",
        "Content-Type: application/json",
        f"Authorization: Bearer {token_of(room.bob)}",
        f"Content-Length: {len(body)}",
    ]
    with connected(pair) as connection:
        connection.sendall("\r\n".join([*lines, "", body]).encode())
        status = await asyncio.to_thread(connection.recv, 12)
        assert status == b"HTTP/1.1 200"
        yield


@pytest.mark.parametrize("deaf", [deaf_socket, deaf_stream])
async def test_who_does_not_read_costs_little(postgres: Path, deaf: Deaf) -> None:
    """And is given up after a while."""
    async with paired(postgres, None, max_connections=3, send_seconds=2) as pair:
        room = await much(pair)
        process = psutil.Process(pair.a.process.pid)
        before = process.memory_info().rss
        async with AsyncExitStack() as stack:
            for _ in range(3):
                await stack.enter_async_context(deaf(pair, room))
            await until(lambda: has_no_room(pair, room))
            await until(lambda: has_room(pair, room))
            assert process.memory_info().rss - before < BYTES
            await stack.enter_async_context(deaf(pair, room))
            await pair.a.stop(signal.SIGTERM)
            assert "Traceback" not in pair.a.said()


async def has_no_room(pair: Pair, room: Room) -> bool:
    return not await has_room(pair, room)


async def test_who_reads_slowly_is_told(postgres: Path) -> None:
    """With the cursor that they have, they go on."""
    async with paired(postgres, None, subscription_queue=10) as pair:
        room = await room_of(pair)
        async with socket_of(
            pair.a, room.bob, sock=connected(pair), max_queue=1, compression=None
        ) as slow:
            await room.began(slow)
            for _ in range(200):
                await room.say("x" * 30_000)
            seen = [await slow.receive()]
            while seen[-1]["type"] == "next":
                seen.append(await slow.receive())
        (error,) = seen[-1]["payload"]
        assert error["extensions"]["code"] == "SLOW_CONSUMER"
        cursor = seen[-2]["payload"]["data"]["messageChanges"]["cursor"]
        async with socket_of(pair.b, room.bob) as quick:
            await quick.follow(room, after=cursor)
            rest = await quick.changes(201 - len(seen))
        assert [change["message"]["sequence"] for change in rest][-1] == 201


@pytest.mark.parametrize("sent", ["", '{"type": "ping"}', "?"])
async def test_who_takes_nothing_is_not_waited_for(sent: str) -> None:
    """Not even to be told why, when it is not known who they are."""
    app = create_app(
        SETTINGS.model_copy(update={"connection_init_seconds": 0.1, "send_seconds": 0.1})
    )
    frames = [{"type": "websocket.connect"}]
    if sent:
        frames.append({"type": "websocket.receive", "text": sent})

    async def receive() -> Message:
        return frames.pop(0) if frames else await asyncio.Future()

    async def send(message: Message) -> None:
        if message["type"] != "websocket.accept":
            await asyncio.Future()

    scope = {"type": "websocket", "path": "/graphql", "headers": [], "subprotocols": [PROTOCOL]}
    async with asyncio.timeout(LONG):
        await app(scope, receive, send)


HANDSHAKE = f"""GET /graphql HTTP/1.1
Host: parley.test
Upgrade: websocket
Connection: Upgrade
Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==
Sec-WebSocket-Version: 13
Sec-WebSocket-Protocol: {PROTOCOL}

""".replace("\n", "\r\n").encode()
PINGS = (b"\x89\xfd" + bytes(4 + 125)) * 1000
NO_MORE = 2.0
"""Seconds in which nothing is taken."""


@pytest.mark.parametrize("between", [b"", b"\x81\x9c" + bytes(4) + b'{"type":"complete","id":"1"}'])
async def test_who_only_sends_pings_is_read_no_further(
    monkeypatch: pytest.MonkeyPatch, database: Database, between: bytes
) -> None:
    """And is cut off, with what they would not take."""
    monkeypatch.setattr(websocket_protocol, "TAKES_NOTHING_SECONDS", 2 * NO_MORE)
    changed = {"connection_init_seconds": LONG, "database_url": database.url("parley_app")}
    app = create_app(SETTINGS.model_copy(update=changed))
    with serving(app) as address:
        host, port = address.removeprefix("http://").split(":")
        connection = await asyncio.to_thread(sockets.create_connection, (host, int(port)))
        with connection:
            connection.settimeout(NO_MORE)
            connection.sendall(HANDSHAKE)
            assert connection.recv(12) == b"HTTP/1.1 101"
            sent = await asyncio.to_thread(sent_until_refused, connection, PINGS + between)
            assert sent < BYTES / 2
            connection.settimeout(LONG)
            with pytest.raises(ConnectionError):
                await asyncio.to_thread(sent_until_refused, connection, PINGS)


def sent_until_refused(connection: sockets.socket, data: bytes) -> int:
    """How many bytes were taken."""
    sent = 0
    while sent < 4 * BYTES:
        try:
            sent += connection.send(data)
        except TimeoutError:
            break
    return sent

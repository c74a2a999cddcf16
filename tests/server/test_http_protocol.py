"""What a client gets of an answer at once, and that it gets all of it."""

import asyncio
import socket
import struct
import time
from collections.abc import Iterator

import pytest
from starlette.types import Receive, Scope, Send

from server.http_protocol import MUCH
from tests.server.serving import serving

HEAD = b"HTTP/1.1 200 OK\r\n"
PARTS = 400
LARGE = bytes(range(256)) * 40


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] != "http":
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    match scope["path"]:
        case "/small":
            parts, pause = [b"answer"], None
        case "/slowly":
            parts, pause = [b"one", b"two"], 0.3
        case _:
            parts, pause = [LARGE] * PARTS, None
    for part in parts:
        await send({"type": "http.response.body", "body": part, "more_body": True})
        if pause:
            await asyncio.sleep(pause)
    await send({"type": "http.response.body", "body": b""})


@pytest.fixture(scope="module")
def address() -> Iterator[tuple[str, int]]:
    with serving(app) as url:
        host, _, port = url.removeprefix("http://").partition(":")
        yield host, int(port)


def asking(address: tuple[str, int], path: str, *lines: str) -> socket.socket:
    connection = socket.create_connection(address, timeout=10)
    head = "\r\n".join([f"GET {path} HTTP/1.1", "Host: test", *lines, "", ""])
    connection.sendall(head.encode())
    return connection


def packets(connection: socket.socket) -> int:
    """That came with data: tcpi_data_segs_in of Linux's struct tcp_info."""
    info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 160)
    (number,) = struct.unpack_from("I", info, 152)
    return int(number)


def whole(connection: socket.socket) -> bytes:
    """Until the server closes the connection."""
    received = b""
    while data := connection.recv(MUCH):
        received += data
    return received


def test_a_small_answer_comes_at_once(address: tuple[str, int]) -> None:
    for _ in range(20):
        with asking(address, "/small") as connection:
            received = connection.recv(MUCH)
            assert packets(connection) == 1
        assert received.startswith(HEAD)
        assert received.endswith(b"6\r\nanswer\r\n0\r\n\r\n")


def test_one_after_the_other_on_a_connection(address: tuple[str, int]) -> None:
    with asking(address, "/small") as connection:
        first = connection.recv(MUCH)
        connection.sendall(b"GET /small HTTP/1.1\r\nHost: test\r\n\r\n" * 2)
        more = b""
        while more.count(b"answer") < 2:
            more += connection.recv(MUCH)
    assert first.count(HEAD) == 1
    assert more.count(HEAD) == 2


def test_nothing_is_lost_when_the_connection_is_closed(address: tuple[str, int]) -> None:
    with asking(address, "/large", "Connection: close") as connection:
        assert whole(connection).count(LARGE) == PARTS


def test_what_is_written_later_comes_later(address: tuple[str, int]) -> None:
    with asking(address, "/slowly") as connection:
        received = connection.recv(MUCH)
        assert b"one" in received
        assert b"two" not in received
        assert b"two" in connection.recv(MUCH)


def test_a_client_that_reads_nothing_is_waited_for() -> None:
    sent = []

    async def endless(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for part in range(20_000):
            await send({"type": "http.response.body", "body": LARGE, "more_body": True})
            sent.append(part)

    with serving(endless) as url:
        host, _, port = url.removeprefix("http://").partition(":")
        with asking((host, int(port)), "/") as connection:
            connection.recv(1)
            before = -1
            while len(sent) > before:
                before = len(sent)
                time.sleep(0.3)
            assert before * len(LARGE) < 50e6

"""Load: requests that were made before, over connections that stay, from one thread.

A client of asyncio would take as long for a request as the servers that are measured. This one
takes some 20 microseconds, so that two processors are left to the server and PostgreSQL.
"""

import re
import selectors
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import cycle

LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
OK = (b"HTTP/1.1 200", b"HTTP/1.0 200")
RECEIVE = 2**18
SECONDS = 30.0
"""How long an answer may take."""


class WrongAnswer(Exception):
    """A server answered something else than it should: what was measured is worth nothing."""


@dataclass(frozen=True)
class Request:
    raw: bytes
    answer: bytes
    """The body that must come, or a part of it."""

    whole: bool
    """Which of both."""


@dataclass
class Times:
    latencies: list[float] = field(default_factory=list)
    seconds: float = 0.0
    """From the first request to the last answer."""

    @property
    def rate(self) -> float:
        return len(self.latencies) / self.seconds

    def percentile(self, n: int) -> float:
        """In milliseconds."""
        return sorted(self.latencies)[len(self.latencies) * n // 100] * 1000


class Connection:
    def __init__(self, port: int, requests: Iterator[Request]) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._requests = requests
        self._received = b""

    def send(self) -> None:
        self._request = next(self._requests)
        self._received = b""
        self._whole = 0
        self._sent_at = time.perf_counter()
        self.socket.sendall(self._request.raw)

    def receive(self) -> float | None:
        """Seconds since the request, once its answer is whole. Raises WrongAnswer."""
        data = self.socket.recv(RECEIVE)
        if not data:
            raise WrongAnswer("the connection was closed")
        self._received = self._received + data if self._received else data
        if not self._whole:
            self._begin()
        if not self._whole or len(self._received) < self._whole:
            return None
        latency = time.perf_counter() - self._sent_at
        self._check()
        return latency

    def _begin(self) -> None:
        end = self._received.find(b"\r\n\r\n")
        if end < 0:
            return
        length = LENGTH.search(self._received, 0, end)
        if length is None or not self._received.startswith(OK):
            raise WrongAnswer(self._received[:1000].decode(errors="replace"))
        self._body = end + 4
        self._whole = self._body + int(length[1])

    def _check(self) -> None:
        body, request = self._received[self._body :], self._request
        if not (body == request.answer if request.whole else request.answer in body):
            raise WrongAnswer(f"{request.raw[-1000:]!r} was answered {body[:1000]!r}")


def load(port: int, requests: Sequence[Request], *, connections: int, seconds: float) -> Times:
    """For that long each connection asks again as soon as it has its answer. Raises WrongAnswer."""
    turns, times = cycle(requests), Times()
    with selectors.DefaultSelector() as selector, ExitStack() as stack:
        for _ in range(connections):
            connection = Connection(port, turns)
            stack.callback(connection.socket.close)
            selector.register(connection.socket, selectors.EVENT_READ, connection)
        begun = time.perf_counter()
        for key in list(selector.get_map().values()):
            key.data.send()
        while selector.get_map():
            ready = selector.select(SECONDS)
            if not ready:
                raise WrongAnswer(f"no answer within {SECONDS:.0f} seconds")
            for key, _ in ready:
                latency = key.data.receive()
                if latency is None:
                    continue
                times.latencies.append(latency)
                times.seconds = time.perf_counter() - begun
                if times.seconds < seconds:
                    key.data.send()
                else:
                    selector.unregister(key.fileobj)
    return times


def ask(port: int, raw: bytes) -> bytes:
    """The body that is answered, whatever it says. Raises WrongAnswer for a status but 200."""
    asking = Connection(port, iter([Request(raw, b"", whole=False)]))
    asking.send()
    while asking.receive() is None:
        pass
    asking.socket.close()
    return asking._received[asking._body :]

"""uvicorn's HTTP protocol, sending whole answers: `--http server.http_protocol:WholeProtocol`.

uvicorn writes the head of a response and then its body, and uvloop sends each as it comes: two
packets, and the client wakes up for the first to find half an answer.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MUCH = 65536
"""Bytes. More is sent on, and may be too much for the client: then uvicorn waits for it."""


class Gathering:
    """A transport that sends together what is written in one step of the loop."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._gathered: list[bytes] = []
        self._size = 0

    def write(self, data: bytes) -> None:
        if not self._gathered:
            self._loop.call_soon(self._send)
        self._gathered.append(data)
        self._size += len(data)
        if self._size >= MUCH:
            self._send()

    def close(self) -> None:
        self._send()
        self._transport.close()

    def _send(self) -> None:
        gathered, self._gathered, self._size = self._gathered, [], 0
        if gathered:
            self._transport.writelines(gathered)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class WholeProtocol(HttpToolsProtocol):
    def connection_made(self, transport: Any) -> None:
        super().connection_made(Gathering(transport, self.loop))  # type: ignore[arg-type]

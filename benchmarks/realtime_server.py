"""A server as a process of its own, and clients of its sockets."""

import asyncio
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import httpx
import orjson
import psutil
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from core.credentials import AccessTokens
from core.settings import CHECKOUT
from core.viewer import Viewer

PATIENCE = 60.0
COMMAND = (
    *(sys.executable, "-m", "uvicorn", "--factory", "server.app:create_app", "--no-access-log"),
    *("--log-level", "warning", "--ws-ping-interval", "60", "--ws-ping-timeout", "60"),
)
FOLLOW = """subscription ($talk: ID!) { messageChanges(conversationId: $talk) {
    kind cursor message { id content sequence author { username } } } }"""
OPENED_AT_ONCE = 50


@dataclass
class Server:
    port: int
    process: "subprocess.Popen[bytes]"
    tokens: AccessTokens
    deflates: bool

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def memory(self) -> int:
        """Bytes that are resident."""
        return int(psutil.Process(self.process.pid).memory_info().rss)

    @property
    def cpu_seconds(self) -> float:
        times = psutil.Process(self.process.pid).cpu_times()
        return float(times.user + times.system)

    def headers(self, who: Viewer) -> dict[str, str]:
        token = self.tokens.sign(who.user_id, who.session_id, expires_in=timedelta(hours=1))
        return {"Authorization": f"Bearer {token}"}

    async def open(self, who: Viewer) -> ClientConnection:
        """Acknowledged."""
        connection = await connect(
            f"ws://127.0.0.1:{self.port}/graphql",
            subprotocols=[Subprotocol("graphql-transport-ws")],
            compression="deflate" if self.deflates else None,
            open_timeout=PATIENCE,
            ping_interval=None,
            proxy=None,
        )
        await connection.send(
            orjson.dumps({"type": "connection_init", "payload": self.headers(who)}).decode()
        )
        assert orjson.loads(await connection.recv()) == {"type": "connection_ack"}
        return connection

    @asynccontextmanager
    async def opened(self, people: Sequence[Viewer]) -> AsyncIterator[list[ClientConnection]]:
        """A socket for each of them."""
        connections: list[ClientConnection] = []
        for start in range(0, len(people), OPENED_AT_ONCE):
            part = people[start : start + OPENED_AT_ONCE]
            connections += await asyncio.gather(*map(self.open, part))
        try:
            yield connections
        finally:
            for connection in connections:
                connection.transport.abort()
            await asyncio.gather(*(connection.wait_closed() for connection in connections))


@asynccontextmanager
async def serving(database_url: str, *, deflates: bool) -> AsyncIterator[Server]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    key = secrets.token_hex()
    settings = {
        "environment": "test",
        "database_url": database_url,
        "jwt_keys": orjson.dumps({"bench": key}).decode(),
        "max_connections": 100_000,
        **dict.fromkeys(("limit_address", "limit_user", "limit_tenant"), "off"),
    }
    process = subprocess.Popen(  # noqa: ASYNC220 - it does not wait
        [*COMMAND, "--port", str(port), "--ws-per-message-deflate", str(deflates)],
        cwd=CHECKOUT,
        env=os.environ | {f"PARLEY_{name.upper()}": str(text) for name, text in settings.items()},
    )
    server = Server(port, process, AccessTokens("HS256", {"bench": key}), deflates)
    try:
        await _ready(server)
        yield server
    finally:
        process.terminate()
        process.wait()


async def _ready(server: Server) -> None:
    ends = time.monotonic() + PATIENCE
    async with httpx.AsyncClient(base_url=server.address, trust_env=False) as http:
        while True:
            assert time.monotonic() < ends, "it does not start"
            try:
                (await http.get("/readyz")).raise_for_status()
            except httpx.HTTPError:
                await asyncio.sleep(0.1)
            else:
                return


@dataclass
class Ears:
    """Of those who follow conversations: when they heard what."""

    heard: dict[str, list[float]] = field(default_factory=dict)
    """By content."""

    incomplete: int = 0

    async def follow(self, connection: ClientConnection, conversation: str) -> None:
        asked = {"query": FOLLOW, "variables": {"talk": conversation}}
        await connection.send(
            orjson.dumps({"type": "subscribe", "id": "1", "payload": asked}).decode()
        )
        async for text in connection:
            at = time.perf_counter()
            payload = orjson.loads(text)["payload"]
            message = payload["data"]["messageChanges"]["message"]
            self.incomplete += message["author"] is None
            self.heard.setdefault(message["content"], []).append(at)

    def count(self, content: str) -> int:
        return len(self.heard.get(content, ()))

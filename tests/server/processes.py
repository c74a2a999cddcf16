"""Servers as in production: processes of their own, that answer over sockets."""

import asyncio
import re
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import orjson

from core.credentials import AccessTokens
from core.settings import CHECKOUT
from tests.conftest import Database
from tests.graph import Client, Person
from tests.ops.commands import environment

KEY = "of the processes, known to tests"
TOKENS = AccessTokens("HS256", {"test": KEY})
COMMAND = (
    *("uvicorn", "--factory", "server.app:create_app", "--port", "0", "--no-access-log"),
    *("--http", "server.http_protocol:WholeProtocol"),
    *("--ws", "server.websocket_protocol:BoundedProtocol"),
    *("--timeout-graceful-shutdown", "3"),
)
RUNNING = re.compile(r"Uvicorn running on (\S+)")
LONG = 30.0
"""Seconds within which a server starts or stops, however busy the machine is."""


def token_of(person: Person) -> str:
    return TOKENS.sign(person.id, person.session_id, expires_in=timedelta(minutes=5))


def bearer(token: str, tenant: str | None = None, **headers: str) -> dict[str, str]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return {"Authorization": f"Bearer {token}"} | ({"X-Tenant": tenant} if tenant else {}) | named


@dataclass
class Server:
    process: "subprocess.Popen[bytes]"
    http: httpx.AsyncClient
    _stderr: Path
    _start: Callable[[], "subprocess.Popen[bytes]"]

    def client(self, **headers: str) -> Client:
        return Client(self.http, {name.replace("_", "-"): text for name, text in headers.items()})

    def by(self, token: str, tenant: str | None = None, **headers: str) -> Client:
        return Client(self.http, bearer(token, tenant, **headers))

    def signed_in(self, person: Person, tenant: str | None = None, **headers: str) -> Client:
        return self.by(token_of(person), tenant, **headers)

    def said(self) -> str:
        return self._stderr.read_text(errors="replace")

    async def ready(self) -> None:
        ends = time.monotonic() + LONG
        while not await self._is_ready():
            assert self.process.poll() is None, self.said()
            assert time.monotonic() < ends, self.said()
            await asyncio.sleep(0.02)

    async def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Nothing that it kept is lost."""
        if self.process.poll() is None:
            self.process.send_signal(how)
            await asyncio.to_thread(self.process.wait, LONG)

    async def kill_and_start(self) -> None:
        """Nobody is told that it dies. It comes back at another port."""
        self.process.kill()
        self.process.wait()
        print(f"--- {self.http.base_url}, killed\n{self.said()}")
        self.process = self._start()
        await self.ready()

    async def end(self) -> None:
        """Whatever happened: shows what it said to whom a test has failed for."""
        try:
            await self.http.aclose()
            await self.stop()
        finally:
            self.process.kill()
            self.process.wait()
            print(f"--- {self.http.base_url}\n{self.said()}")

    async def _is_ready(self) -> bool:
        running = RUNNING.search(self.said())
        if not running:
            return False
        self.http.base_url = httpx.URL(running[1])
        try:
            return (await self.http.get("/readyz")).status_code == httpx.codes.OK
        except httpx.ConnectError:  # with several workers it says so before any listens
            return False


@asynccontextmanager
async def processes(
    database: Database, number: int = 2, /, **settings: object
) -> AsyncIterator[list[Server]]:
    """That many, all alike, once they are ready."""
    with TemporaryDirectory(prefix="parley-stderr-") as directory:
        stderrs = [Path(directory, str(n)) for n in range(number)]
        servers = [_started(database, stderr, settings) for stderr in stderrs]
        try:
            await asyncio.gather(*(server.ready() for server in servers))
            yield servers
        finally:
            await asyncio.gather(*(server.end() for server in servers))


def _started(database: Database, stderr: Path, settings: dict[str, object]) -> Server:
    variables = {
        "environment": "test",
        "database_url": database.url("parley_app"),
        "jwt_keys": orjson.dumps({"test": KEY}).decode(),
        "pool_size": 8,
        "sign_in_floor": 0,
    }

    def start() -> "subprocess.Popen[bytes]":
        with stderr.open("wb") as file:
            return subprocess.Popen(
                [sys.executable, "-m", *COMMAND],
                cwd=CHECKOUT,
                env=environment(**(variables | settings)),
                stdout=subprocess.DEVNULL,
                stderr=file,
            )

    # Without certificates, which take long to read, and whatever proxy the environment names.
    http = httpx.AsyncClient(timeout=LONG, verify=False, trust_env=False)
    return Server(start(), http, stderr, start)

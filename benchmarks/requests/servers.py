"""The servers that are measured, each a process of its own on the same database."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson
import psutil

from benchmarks.requests.data import NAME, Connection, Target, connect
from benchmarks.requests.driver import Request, WrongAnswer, ask
from benchmarks.requests.operations import (
    answered,
    content,
    document,
    expected,
    expected_message,
    mark,
    variables,
)
from core.credentials import AccessTokens
from core.settings import CHECKOUT
from schema.node import global_id

KEY = "of the benchmark, which signs its own tokens"
TOKENS = AccessTokens("HS256", {"benchmark": KEY})
PATIENCE = 60.0
UVICORN = (
    *("uvicorn", "--no-access-log", "--log-level", "warning"),
    *("--http", "server.http_protocol:WholeProtocol", "--factory"),
)
CHECKED = 10
"""Of so many messages that are sent, before any are counted, the rows are compared."""

# One process, as in production. Requests are counted as they are there; but all of them come from
# one address, so there is room for more than can come.
SETTINGS = {
    "environment": "production",
    "jwt_keys": orjson.dumps({"benchmark": KEY}).decode(),
    "pool_size": 16,
    "limit_address": "1000000000/minute",
    "limit_user": "1000000000/minute",
    "limit_tenant": "1000000000/minute",
    "env_file": os.devnull,
}
Body = Callable[[str, Target, int], object]


def _parley(operation: str, target: Target, number: int) -> object:
    conversation = global_id("Conversation", target.conversation_id)
    return _operation("parley", operation, conversation, number)


def _mainstream(operation: str, target: Target, number: int) -> object:
    return _operation("mainstream", operation, str(target.conversation_id), number)


def _limit(operation: str, target: Target, number: int) -> object:
    return {"variables": variables(operation, str(target.conversation_id), number)}


def _operation(server: str, operation: str, conversation: str, number: int) -> object:
    return {
        "query": document(server, operation),
        "variables": variables(operation, conversation, number),
    }


# name -> (app, path, body of a request)
APPS: dict[str, tuple[str, str, Body]] = {
    "parley": ("server.app:create_app", "/graphql", _parley),
    "limit": ("benchmarks.requests.limit:create_app", "/{operation}", _limit),
    "mainstream": ("benchmarks.requests.mainstream:create_app", "/", _mainstream),
}


@dataclass
class Server:
    name: str
    port: int
    process: psutil.Process
    database: psutil.Process
    """PostgreSQL."""

    socket: Path
    body: Body
    path: str

    async def requests(self, operation: str, targets: list[Target]) -> list[Request]:
        """What is asked, with the answers that were found to be right. Raises WrongAnswer."""
        raws = [self._raw(operation, target, n) for n, target in enumerate(targets)]
        connection = await connect(self.socket)
        try:
            if operation == "send":
                for n in range(min(CHECKED, len(targets))):
                    await self._check_sending(connection, targets[n], raws[n], n)
                return [Request(raw, mark(n).encode(), whole=False) for n, raw in enumerate(raws)]
            answers = [ask(self.port, raw) for raw in raws]
            for target, answer in zip(targets, answers, strict=True):
                self._compare(operation, answer, await expected(connection, operation, target))
            return [
                Request(raw, answer, whole=True) for raw, answer in zip(raws, answers, strict=True)
            ]
        finally:
            await connection.close()

    def _raw(self, operation: str, target: Target, number: int) -> bytes:
        payload = orjson.dumps(self.body(operation, target, number))
        token = TOKENS.sign(target.user_id, target.session_id, expires_in=timedelta(hours=12))
        headers = {
            "Host": f"127.0.0.1:{self.port}",
            "Content-Type": "application/json",
            "Content-Length": len(payload),
            "Accept": "application/json",
            "Authorization": f"Bearer {token}",
            "X-Tenant": target.tenant_id,
        }
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        path = self.path.format(operation=operation)
        return f"POST {path} HTTP/1.1\r\n{lines}\r\n".encode() + payload

    async def _check_sending(
        self, connection: Connection, target: Target, raw: bytes, number: int
    ) -> None:
        before = await _last_sequence(connection, target)
        answer = ask(self.port, raw)
        self._compare("send", answer, await expected_message(connection, target, content(number)))
        if await _last_sequence(connection, target) != before + 1:
            raise WrongAnswer(f"{self.name} did not count what was sent")

    def _compare(self, operation: str, answer: bytes, right: Any) -> None:
        try:
            given = answered(operation, answer)
        except (ValueError, KeyError, TypeError) as error:
            raise WrongAnswer(f"{self.name}, {operation}: {answer[:1000]!r}") from error
        if given != right:
            raise WrongAnswer(f"{self.name}, {operation}:\n{given}\nrather than\n{right}")


async def _last_sequence(connection: Connection, target: Target) -> int:
    sequence: int = await connection.fetchval(
        "SELECT last_sequence FROM conversations WHERE tenant_id = $1 AND id = $2",
        target.tenant_id,
        target.conversation_id,
    )
    return sequence


@contextmanager
def serving(name: str, postgres: Path, database: psutil.Process) -> Iterator[Server]:
    """Once it listens. Raises WrongAnswer when it does not."""
    app, path, body = APPS[name]
    port = free_port()
    url = f"postgresql://parley_app@/{NAME}?host={quote(str(postgres))}"
    settings = SETTINGS | {"database_url": url}
    with started(
        [sys.executable, "-m", *UVICORN, app, "--port", str(port)], port, settings
    ) as process:
        yield Server(name, port, process, database, postgres, body, path)


@contextmanager
def started(
    command: list[str], port: int, settings: Mapping[str, object]
) -> Iterator[psutil.Process]:
    variables = {
        name: value for name, value in os.environ.items() if not name.startswith("PARLEY_")
    }
    variables |= {f"PARLEY_{name.upper()}": str(value) for name, value in settings.items()}
    with subprocess.Popen(command, cwd=CHECKOUT, env=variables) as process:
        try:
            _wait(process, port)
            yield psutil.Process(process.pid)
        finally:
            process.terminate()


def _wait(process: "subprocess.Popen[bytes]", port: int) -> None:
    ends = time.monotonic() + PATIENCE
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError as error:
            if process.poll() is not None or time.monotonic() > ends:
                raise WrongAnswer(f"{process.args!r} does not listen") from error
            time.sleep(0.05)
        else:
            return


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port

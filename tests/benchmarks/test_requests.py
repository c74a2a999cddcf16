"""The benchmark itself: whatever it compares answers the same, and nothing else counts."""

import subprocess
import sys
from itertools import count
from pathlib import Path

import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from benchmarks.requests.driver import Request, WrongAnswer, load
from core.settings import CHECKOUT
from tests.server.serving import serving

ASK = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


def test_every_server_answers_each_operation_rightly(tmp_path: Path) -> None:
    sizes = ("--messages", "4000", "--seconds", "0.1", "--rounds", "1", "--data", str(tmp_path))
    ran = subprocess.run(
        [sys.executable, "-m", "benchmarks.requests", *sizes],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    lines = [line.split("|")[1:4] for line in ran.stdout.splitlines() if line.startswith("|")][2:]
    found = {tuple(cell.strip() for cell in line) for line in lines}
    assert found == {
        (operation, connections, server)
        for operation in ("inbox", "thread", "deep", "send")
        for connections in ("1", "16")
        for server in ("parley", "limit", "mainstream")
    }


async def right(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse("right" * 100_000)(scope, receive, send)


async def refused(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse("right" * 100_000, 429)(scope, receive, send)


_answers = count()


async def sometimes_wrong(scope: Scope, receive: Receive, send: Send) -> None:
    text = "wrong" if next(_answers) % 10 == 9 else "right"
    await PlainTextResponse(text * 100_000)(scope, receive, send)


def _load(address: str) -> int:
    wanted = [Request(ASK, b"right" * 100_000, whole=True)]
    port = int(address.rpartition(":")[2])
    return len(load(port, wanted, connections=4, seconds=0.5).latencies)


def test_answers_are_counted() -> None:
    with serving(right) as address:
        assert _load(address) > 10


@pytest.mark.parametrize("app", [refused, sometimes_wrong])
def test_a_wrong_answer_ends_it(app: object) -> None:
    with serving(app) as address, pytest.raises(WrongAnswer):  # type: ignore[arg-type]
        _load(address)

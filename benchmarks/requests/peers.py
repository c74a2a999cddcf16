"""Other servers, from a directory outside of this project: its `driver/bench.py` starts them, on a
database of their own, and knows how they are asked the same four operations."""

import asyncio
import importlib.util
import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from benchmarks.requests.driver import Request, WrongAnswer, ask
from benchmarks.requests.servers import free_port

NAMES = ("postgraphile", "mercurius", "apollo")


@dataclass
class Peer:
    name: str
    port: int
    process: psutil.Process
    database: psutil.Process
    bench: Any
    server: Any

    async def requests(self, operation: str, targets: list[Any]) -> list[Request]:
        """Ten of the answers were found right by the peers' own comparison. Raises WrongAnswer."""
        try:
            await self.bench.check(self.server, operation, targets)
        except self.bench.Wrong as error:
            raise WrongAnswer(str(error)) from error
        raws = [self._raw(operation, target) for target in targets]
        if operation == "send":
            ends = [target["content"].rpartition(".")[2].encode() for target in targets]
            return [
                Request(raw, end + b'"', whole=False) for raw, end in zip(raws, ends, strict=True)
            ]
        return [Request(raw, ask(self.port, raw), whole=True) for raw in raws]

    def _raw(self, operation: str, target: Any) -> bytes:
        body: bytes = self.server.ops.body(operation, target).encode()
        return (
            f"POST {self.server.ops.path_of(operation)} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
            f"x-tenant-id: {target['tenant']}\r\nx-user-id: {target['user']}\r\n\r\n"
        ).encode() + body


@contextmanager
def peers(directory: Path, state: Path) -> Iterator[tuple[list[Peer], dict[str, list[Any]]]]:
    """Those that are there, and by whom they are asked, by operation. `state` keeps their database.
    Raises WrongAnswer."""
    state.mkdir(parents=True, exist_ok=True)
    os.environ["BENCH_STATE"] = str(state)
    os.environ["BENCH_PGPORT"] = str(free_port())
    bench = _module(directory / "driver" / "bench.py")
    cluster = directory / "db" / "cluster.sh"
    subprocess.run([cluster, "start"], check=True)
    with ExitStack() as stack:
        stack.callback(lambda: subprocess.run([cluster, "stop"], check=True))
        pid = subprocess.run([cluster, "pid"], check=True, capture_output=True).stdout
        database = psutil.Process(int(pid))
        found = []
        for name in NAMES:
            label, start, operations, path = bench.SERVERS[name]
            ops = bench.Ops(directory / "ops" / operations, path)
            server = bench.Server(name, label, ops, free_port(), start)
            stack.callback(server.stop)
            server.start()
            process = psutil.Process(server.pid)
            found.append(Peer(name, server.port, process, database, bench, server))
        yield found, asyncio.run(bench.pick_targets())


def _module(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location("peers_bench", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module

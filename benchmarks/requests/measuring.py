"""Rounds of runs, and what they come to."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Protocol

import psutil

from benchmarks.requests.driver import Request, load

CONNECTIONS = (1, 16)
WARM_UP = 0.25
"""Of the seconds of a run."""


class Measured(Protocol):
    name: str
    port: int
    process: psutil.Process
    database: psutil.Process


@dataclass(frozen=True)
class Run:
    rate: float
    """Requests a second."""

    p50: float
    p99: float
    """Milliseconds."""

    server: float
    postgres: float
    """Milliseconds of a processor for a request."""

    memory: float
    """MB of the server, afterwards."""


Key = tuple[str, int, str]
"""Operation, connections, server."""


Asked = Mapping[tuple[str, str], list[Request]]
"""What is asked, by operation and server."""


def measure(
    servers: Sequence[Measured], asked: Asked, *, seconds: float, rounds: int
) -> dict[Key, list[Run]]:
    """Servers take turns, each round another one first. Raises WrongAnswer."""
    runs: dict[Key, list[Run]] = {}
    for turn in range(rounds):
        first = turn % len(servers)
        for operation in dict.fromkeys(operation for operation, _ in asked):
            for connections in CONNECTIONS:
                for server in [*servers[first:], *servers[:first]]:
                    requests = asked[operation, server.name]
                    run = _run(server, requests, connections, seconds)
                    runs.setdefault((operation, connections, server.name), []).append(run)
                    _tell(turn + 1, operation, connections, server.name, f"{run.rate:.1f}/s")
    return runs


def _run(server: Measured, requests: Sequence[Request], connections: int, seconds: float) -> Run:
    load(server.port, requests, connections=connections, seconds=seconds * WARM_UP)
    before = cpu(server.process), cpu(server.database)
    times = load(server.port, requests, connections=connections, seconds=seconds)
    used = cpu(server.process) - before[0], cpu(server.database) - before[1]
    milliseconds = 1000 / len(times.latencies)
    return Run(
        times.rate,
        p50=times.percentile(50),
        p99=times.percentile(99),
        server=used[0] * milliseconds,
        postgres=used[1] * milliseconds,
        memory=server.process.memory_info().rss / 1e6,
    )


def cpu(process: psutil.Process) -> float:
    """Seconds that it and its children have used up to now."""
    used = 0.0
    for one in (process, *process.children(recursive=True)):
        try:
            times = one.cpu_times()
        except psutil.NoSuchProcess:
            continue
        used += times.user + times.system
    return used


def _tell(*words: object) -> None:
    print("round", *words, file=sys.stderr, flush=True)


HEAD = (
    "| operation | connections | server | requests/s | of limit | of mainstream | p50 ms | p99 ms"
    " | server ms | PostgreSQL ms |\n|---|---:|---|---:|---:|---:|---:|---:|---:|---:|"
)


def table(runs: dict[Key, list[Run]]) -> Iterator[str]:
    """Medians of the rounds, in Markdown."""
    yield HEAD
    medians = {key: _median(of_key) for key, of_key in runs.items()}
    for (operation, connections, name), run in medians.items():
        against = [
            f"{run.rate / other.rate:.2f}"
            for line in ("limit", "mainstream")
            if (other := medians.get((operation, connections, line)))
        ]
        yield (
            f"| {operation} | {connections} | {name} | {run.rate:,.0f} | {' | '.join(against)}"
            f" | {run.p50:.1f} | {run.p99:.1f} | {run.server:.2f} | {run.postgres:.2f} |"
        )
    names = dict.fromkeys(name for _, _, name in runs)
    most = {
        name: max(run.memory for key, of_key in runs.items() if key[2] == name for run in of_key)
        for name in names
    }
    yield ""
    yield "Memory of the process, at most: " + ", ".join(
        f"{name} {megabytes:.0f} MB" for name, megabytes in most.items()
    )


def _median(runs: list[Run]) -> Run:
    return Run(
        *(median(values) for values in zip(*(vars(run).values() for run in runs), strict=True))
    )

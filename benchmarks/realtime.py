"""What realtime takes: memory of idle sockets, time from COMMIT to 200 clients, and what they cost
those who write.

Run: .venv/bin/python -m benchmarks.realtime [--sockets 2000] [--subscribers 200] [--deflate]
"""

import argparse
import asyncio
import itertools
import resource
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import mean, quantiles
from uuid import UUID

import httpx
import orjson
from websockets.asyncio.client import ClientConnection

from benchmarks.realtime_server import PATIENCE, Ears, Server, serving
from benchmarks.sending import MUTATION, Workspace, open_workspace
from core.bus import PostgresBus
from core.viewer import Viewer
from ops.postgres import running
from resolvers.message_sending import send_message
from schema.node import global_id
from tables.engine import DB

EVERY = 0.25
"""Seconds between two messages."""

WRITERS, PLACES = 20, 5


@asynccontextmanager
async def listening(
    server: Server, people: Sequence[Viewer], places: Sequence[UUID]
) -> AsyncIterator[Ears]:
    """Each of the people follows one of the places."""
    async with server.opened(people) as connections, following(connections, places) as ears:
        yield ears


@asynccontextmanager
async def following(
    connections: Sequence[ClientConnection], places: Sequence[UUID]
) -> AsyncIterator[Ears]:
    ears = Ears()
    tasks = [
        asyncio.create_task(ears.follow(connection, global_id("Conversation", place)))
        for connection, place in zip(connections, itertools.cycle(places), strict=False)
    ]
    await asyncio.sleep(1 + len(tasks) / 200)  # nobody tells when they are told
    yield ears
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def measure_memory(server: Server, workspace: Workspace, sockets: int) -> None:
    """Of sockets that have nothing to tell."""
    people = list(itertools.islice(itertools.cycle(workspace.people), sockets))
    (place,) = await workspace.places(1)
    async with server.opened(people[:50]):
        pass  # warms up
    before = server.memory
    async with server.opened(people) as connections:
        each = (server.memory - before) / sockets / 1024
        print(f"{'memory of a socket':48} {each:8.1f} KiB")
        async with following(connections, [place]):
            each = (server.memory - before) / sockets / 1024
            print(f"{'… that follows a conversation':48} {each:8.1f} KiB")
            print(f"{f'the process, with {sockets} of them':48} {server.memory / 2**20:8.0f} MiB")


async def measure_delivery(
    server: Server, workspace: Workspace, subscribers: int, messages: int
) -> None:
    """From when the writer's COMMIT is answered. Writer and clients share a process, so the last
    client's time includes what all of them take to read."""
    (place,) = await workspace.places(1)
    who = workspace.people[0]
    bus = PostgresBus(lambda _: None, workspace.url)
    sending = asyncio.create_task(bus.run())
    await DB.open(workspace.url)
    DB.on_commit = bus.publish
    committed: dict[str, float] = {}
    async with listening(server, workspace.people[:subscribers], [place]) as ears:
        await send_message(who, place, "warms up")
        await asyncio.sleep(1)
        cpu = server.cpu_seconds
        for n in range(messages):
            started = time.perf_counter()
            await send_message(who, place, f"message {n}")
            committed[f"message {n}"] = time.perf_counter()
            await asyncio.sleep(max(EVERY - (time.perf_counter() - started), 0))
        ends = time.monotonic() + PATIENCE
        while any(ears.count(content) < subscribers for content in committed):
            assert time.monotonic() < ends, "somebody did not hear of something"
            await asyncio.sleep(0.05)
        cpu = server.cpu_seconds - cpu
    took = [at - committed[said] for said in committed for at in ears.heard[said]]
    first = [min(ears.heard[said]) - at for said, at in committed.items()]
    last = [max(ears.heard[said]) - at for said, at in committed.items()]
    percentiles = quantiles(took, n=100)
    print(f"{f'COMMIT to {subscribers} clients: p50':48} {percentiles[49] * 1000:8.0f} ms")
    print(f"{'p99':48} {percentiles[98] * 1000:8.0f} ms")
    print(f"{'first client, mean':48} {mean(first) * 1000:8.0f} ms")
    print(f"{'last client, mean':48} {mean(last) * 1000:8.0f} ms")
    print(f"{'CPU of the server for each delivery':48} {cpu / len(took) * 1e6:8.0f} µs")
    if ears.incomplete:
        print(f"{'… without an author':48} {ears.incomplete:8}")
    DB.on_commit = None
    sending.cancel()
    await asyncio.wait([sending])
    await DB.close()


async def write(
    server: Server, workspace: Workspace, places: Sequence[UUID], seconds: float
) -> float:
    """Messages a second, of 20 who send one after the other."""
    ends = time.perf_counter() + seconds

    async def writer(n: int) -> int:
        who, place = workspace.people[n], places[n % len(places)]
        for count in itertools.count():
            if time.perf_counter() > ends:
                return count
            given = {
                "conversationId": str(global_id("Conversation", place)),
                "content": f"{n} {count}",
            }
            answer = await http.post(
                "/graphql",
                content=orjson.dumps({"query": MUTATION, "variables": {"input": given}}),
                headers={"Content-Type": "application/json"} | server.headers(who),
            )
            assert answer.json()["data"]["sendMessage"]["errors"] == []
        raise AssertionError("unreachable")

    async with httpx.AsyncClient(
        base_url=server.address, timeout=PATIENCE, trust_env=False
    ) as http:
        return sum(await asyncio.gather(*map(writer, range(WRITERS)))) / seconds


async def measure_writers(
    server: Server, workspace: Workspace, subscribers: int, rounds: int, seconds: float
) -> None:
    places = []
    for _ in range(PLACES):
        places += await workspace.places(1)
    alone, heard, delivered = [], [], []
    await write(server, workspace, places, 1)  # warms up
    for _ in range(rounds):
        alone.append(await write(server, workspace, places, seconds))
        async with listening(server, workspace.people[:subscribers], places) as ears:
            heard.append(await write(server, workspace, places, seconds))
            delivered.append(sum(map(len, ears.heard.values())) / seconds)
    print(f"{f'{WRITERS} writers, nobody listens':48} {mean(alone):8.0f} messages/s")
    print(f"{f'{WRITERS} writers, {subscribers} listen':48} {mean(heard):8.0f} messages/s")
    print(f"{'… who were told':48} {mean(delivered):8.0f} changes/s")


async def run(socket: Path, options: argparse.Namespace) -> None:
    workspace = await open_workspace(socket, max(options.subscribers, WRITERS))
    async with serving(workspace.url, deflates=options.deflate) as server:
        if "memory" in options.only:
            await measure_memory(server, workspace, options.sockets)
    async with serving(workspace.url, deflates=options.deflate) as server:
        if "delivery" in options.only:
            await measure_delivery(server, workspace, options.subscribers, options.messages)
        if "writers" in options.only:
            await measure_writers(
                server, workspace, options.subscribers, options.rounds, options.seconds
            )
    await workspace.connection.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sockets", type=int, default=2000, help="that are idle")
    parser.add_argument("--subscribers", type=int, default=200)
    parser.add_argument("--messages", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5, help="of each round")
    parser.add_argument("--deflate", action="store_true", help="compress what sockets carry")
    parser.add_argument("--only", nargs="*", default=["memory", "delivery", "writers"])
    options = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    directory = Path(tempfile.mkdtemp(prefix="parley-benchmark-"))
    try:
        with running(directory / "postgres") as socket:
            asyncio.run(run(socket, options))
    finally:
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()

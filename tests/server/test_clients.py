"""Clients that people use: npm's graphql-ws and graphql-sse, Python's gql."""

import asyncio
import shutil
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any

import orjson
import pytest
import pytest_asyncio
from gql import Client, gql
from gql.transport.exceptions import (
    TransportClosed,
    TransportConnectionFailed,
    TransportProtocolError,
    TransportQueryError,
)
from gql.transport.httpx import HTTPXAsyncTransport
from gql.transport.websockets import WebsocketsTransport

from core.settings import CHECKOUT
from tests.graph import Person
from tests.server.pair import Pair, paired
from tests.server.processes import LONG, Server, bearer, token_of
from tests.server.sockets import FOLLOW, Room, address, room_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

CLIENTS = CHECKOUT / "tests" / "clients"
GONE = (TransportClosed, TransportConnectionFailed)
PROTOCOLS = {"graphql-ws": "ws", "graphql-sse": "http"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pair(postgres: Path) -> AsyncIterator[Pair]:
    async with paired(postgres, None) as pair:
        yield pair


@pytest_asyncio.fixture(loop_scope="module")
async def parting(postgres: Path) -> AsyncIterator[Pair]:
    """One of them is stopped."""
    async with paired(postgres, None) as pair:
        yield pair


@dataclass
class Follower:
    process: Process

    async def tells(self) -> tuple[str, Any]:
        """What, and its value."""
        assert self.process.stdout is not None
        async with asyncio.timeout(LONG):
            what, value = orjson.loads(await self.process.stdout.readline())
        return what, value

    async def contents(self, number: int) -> list[str]:
        """Of the next messages; how often it had to connect again does not matter."""
        found: list[str] = []
        while len(found) < number:
            what, value = await self.tells()
            assert what in ("next", "closed"), value
            if what == "next":
                found.append(value["messageChanges"]["message"]["content"])
        return found


@asynccontextmanager
async def follower(
    protocol: str, room: Room, *servers: Server, headers: dict[str, str] | None = None
) -> AsyncIterator[Follower]:
    node = shutil.which("node")
    assert node, "these tests drive clients in Node: install it"
    assert (CLIENTS / "node_modules").is_dir(), "tests/clients is not installed: run `make clients`"
    asked = {
        "protocol": protocol,
        "addresses": [address(server, PROTOCOLS[protocol]) for server in servers],
        "headers": bearer(token_of(room.bob)) if headers is None else headers,
        "query": FOLLOW,
        "variables": {"talk": room.id, "after": room.beginning},
    }
    process = await asyncio.create_subprocess_exec(
        node, CLIENTS / "follow.mjs", orjson.dumps(asked), stdout=PIPE
    )
    try:
        yield Follower(process)
    finally:
        process.kill()
        await process.wait()


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_goes_on_at_another_process(parting: Pair, protocol: str) -> None:
    room = await room_of(parting)
    async with follower(protocol, room, parting.a, parting.b) as client:
        for number in range(5):
            await room.say(f"at A {number}", parting.a)
        assert await client.contents(5) == [f"at A {number}" for number in range(5)]
        stopping = asyncio.create_task(parting.a.stop())
        for number in range(5):
            await room.say(f"meanwhile {number}", parting.b)
        await stopping
        assert await client.contents(5) == [f"meanwhile {number}" for number in range(5)]
        await room.say("at B", parting.b)
        assert await client.contents(1) == ["at B"]


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_tells_why_it_may_not(pair: Pair, protocol: str) -> None:
    room, other = await room_of(pair), await room_of(pair)
    known = bearer(token_of(other.bob))
    async with follower(protocol, room, pair.a, headers=known) as client:
        what, errors = await client.tells()
        assert what == ("error" if protocol == "graphql-ws" else "errors")
        assert [error["extensions"]["code"] for error in errors] == ["NOT_FOUND"]
    async with follower(protocol, room, pair.a, headers=bearer("x")) as client:
        what, value = await client.tells()
        if protocol == "graphql-ws":
            assert (what, value[0], value[1].partition(":")[0]) == (
                "closed", 4403, "UNAUTHENTICATED",
            )  # fmt: skip
        else:
            assert [error["extensions"]["code"] for error in value] == ["UNAUTHENTICATED"]


async def test_gql(parting: Pair) -> None:
    room = await room_of(parting)
    query = gql(FOLLOW)
    variables = query.variable_values = {"talk": room.id, "after": room.beginning}
    contents: list[str] = []

    async def follow() -> None:
        for server in cycle((parting.a, parting.b)):
            try:
                async with _socket(server, room.bob) as session:
                    async for data in session.subscribe(query):
                        change = data["messageChanges"]
                        contents.append(change["message"]["content"])
                        variables["after"] = change["cursor"]
                        if contents[-1] == "last":
                            return
            except GONE:
                await asyncio.sleep(0.05)

    following = asyncio.create_task(follow())
    for number in range(5):
        await room.say(str(number), parting.a)
    stopping = asyncio.create_task(parting.a.stop())
    for content in ("5", "6", "last"):
        await room.say(content, parting.b)
    await stopping
    async with asyncio.timeout(LONG):
        await following
    assert contents == [*"0123456", "last"]


def _socket(server: Server, person: Person) -> Any:
    known = bearer(token_of(person))
    transport = WebsocketsTransport(
        url=address(server), init_payload=known, subprotocols=["graphql-transport-ws"]
    )
    return Client(transport=transport)


async def test_gql_hears_errors(pair: Pair) -> None:
    room, other = await room_of(pair), await room_of(pair)
    query = gql(FOLLOW)
    query.variable_values = {"talk": room.id}
    with pytest.raises(TransportQueryError) as refused:
        async with _socket(pair.a, other.bob) as session:
            async for _ in session.subscribe(query):
                pass
    assert refused.value.errors
    assert refused.value.errors[0]["extensions"]["code"] == "NOT_FOUND"
    legacy = WebsocketsTransport(url=address(pair.a), subprotocols=["graphql-ws"])
    with pytest.raises((*GONE, TransportProtocolError)):
        async with Client(transport=legacy):
            pass
    http = HTTPXAsyncTransport(address(pair.a, "http"), headers=bearer(token_of(room.bob)))
    async with Client(transport=http) as session:
        assert await session.execute(gql("{ __typename }")) == {"__typename": "Query"}

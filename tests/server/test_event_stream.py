"""GraphQL over Server-Sent Events: each operation a request of its own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import orjson
import pytest
import pytest_asyncio

from tests.graph import Client, Person
from tests.server.pair import Pair, pair, servers, until
from tests.server.processes import LONG, Server, bearer, token_of
from tests.server.sockets import FOLLOW, Room, room_of

__all__ = ["pair", "servers"]

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.parametrize("servers", ["memory"], indirect=True),
]

EVENTS = {"Accept": "text/event-stream"}
Event = tuple[str, Any]


@dataclass
class Stream:
    answer: httpx.Response
    _lines: AsyncIterator[str]

    async def event(self) -> Event:
        """The next, or a comment as ("", text)."""
        name = ""
        async with asyncio.timeout(LONG):
            async for line in self._lines:
                field, _, value = line.partition(": ")
                match field:
                    case "event":
                        name = value
                    case "data" | "data:":
                        return name, orjson.loads(value) if value else None
                    case "":
                        if value:
                            return "", value
        raise EOFError

    async def rest(self) -> list[Event]:
        events = []
        try:
            while True:
                events.append(await self.event())
        except EOFError:
            return events

    async def change(self) -> Any:
        name, data = await self.event()
        assert name == "next", data
        return data["data"]["messageChanges"]


@asynccontextmanager
async def streaming(
    server: Server, headers: dict[str, str], query: str, method: str = "POST", **variables: Any
) -> AsyncIterator[Stream]:
    async with (
        httpx.AsyncClient(base_url=server.http.base_url, timeout=LONG, trust_env=False) as http,
        http.stream(
            method,
            "/graphql",
            json={"query": query, "variables": variables},
            headers=EVENTS | headers,
        ) as answer,
    ):
        yield Stream(answer, answer.aiter_lines())


def following(
    server: Server, room: Room, person: Person, after: str | None = None, **headers: str
) -> Any:
    known = bearer(token_of(person)) | headers
    return streaming(server, known, FOLLOW, talk=room.id, after=after)


@pytest_asyncio.fixture(scope="module", loop_scope="module", autouse=True)
async def silent(servers: Pair) -> AsyncIterator[Stream]:
    """Of which nothing is heard while the other tests run: it takes long to be kept open."""
    room = await room_of(servers)
    async with following(servers.a, room, room.bob) as stream:
        yield stream


async def test_changes_come_in_order(pair: Pair) -> None:
    room = await room_of(pair)
    async with following(pair.a, room, room.bob, after=room.beginning) as stream:
        assert stream.answer.status_code == 200
        assert stream.answer.headers["content-type"].partition(";")[0] == "text/event-stream"
        assert stream.answer.headers["cache-control"] == "no-cache, no-transform"
        assert stream.answer.headers["x-accel-buffering"] == "no"
        assert "x-request-id" in stream.answer.headers
        for number in range(5):
            await room.say(str(number), (pair.a, pair.b)[number % 2])
        changes = [await stream.change() for _ in range(5)]
        assert [change["message"]["content"] for change in changes] == list("01234")
    async with following(pair.b, room, room.bob, after=changes[2]["cursor"]) as stream:
        contents = [(await stream.change())["message"]["content"] for _ in range(2)]
        assert contents == ["3", "4"]


@pytest.mark.parametrize(
    ("query", "data"),
    [
        ("{ __typename }", {"__typename": "Query"}),
        ("mutation { signOut { errors { code } success } }", None),
    ],
)
async def test_queries_and_mutations(pair: Pair, query: str, data: Any) -> None:
    async with streaming(pair.a, {}, query) as stream:
        (first, answer), last = await stream.rest()
        assert (first, last) == ("next", ("complete", None))
        assert "errors" not in answer
        assert data in (None, answer["data"])


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("{", "GRAPHQL_PARSE_FAILED"),
        ("", "BAD_INPUT"),
        ("{ nothing }", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription { inboxChanges { id } also: inboxChanges { id } }",
         "GRAPHQL_VALIDATION_FAILED"),
        ("subscription ($x: ID!) { messageChanges(conversationId: $x) { cursor } }", "BAD_INPUT"),
        ("subscription { inboxChanges { id } }", "UNAUTHENTICATED"),
    ],
)  # fmt: skip
async def test_errors_are_events(pair: Pair, query: str, code: str) -> None:
    async with streaming(pair.a, {}, query) as stream:
        assert stream.answer.status_code == 200
        (_, answer), last = await stream.rest()
        assert [error["extensions"]["code"] for error in answer["errors"]] == [code]
        assert "data" not in answer
        assert last == ("complete", None)


async def test_what_is_not_the_viewers_is_not_found(pair: Pair) -> None:
    room, other = await room_of(pair), await room_of(pair)
    for person, tenant in ((other.bob, other.slug), (other.bob, room.slug), (room.bob, other.slug)):
        async with following(pair.a, room, person, X_Tenant=tenant) as stream:
            pass
        headers = bearer(token_of(person), tenant)
        async with streaming(pair.a, headers, FOLLOW, talk=room.id) as stream:
            (_, answer), _ = await stream.rest()
            (error,) = answer["errors"]
            assert error["extensions"]["code"] in ("NOT_FOUND", "FORBIDDEN")


async def test_only_a_post_streams(pair: Pair) -> None:
    """Pages of other sites can send a GET, and a POST of text, without asking first."""
    client = pair.a.http
    query = "subscription { inboxChanges { id } }"
    got = await client.get("/graphql", params={"query": query}, headers=EVENTS)
    assert (got.status_code, got.json()["errors"][0]["extensions"]["code"]) == (405, "BAD_REQUEST")
    plain = {"Content-Type": "text/plain"} | EVENTS
    posted = await client.post("/graphql", content=b'{"query": "{ a }"}', headers=plain)
    assert posted.status_code == 400


@pytest.mark.parametrize("accept", ["*/*", "application/json", "multipart/mixed"])
async def test_a_plain_request_cannot_subscribe(pair: Pair, accept: str) -> None:
    client = Client(pair.a.http, {"Accept": accept})
    answer = (await client.post("subscription { inboxChanges { id } }")).json()
    assert answer["errors"][0]["extensions"]["code"] == "BAD_INPUT"
    assert "text/event-stream" in answer["errors"][0]["message"]
    got = await client.http.get(
        "/graphql", params={"query": "subscription { inboxChanges { id } }"}, headers=client.headers
    )
    assert got.json()["errors"][0]["extensions"]["code"] == "BAD_INPUT"


async def test_who_accepts_both_gets_what_fits(pair: Pair) -> None:
    accept = {"Accept": "application/graphql-response+json, application/json, text/event-stream"}
    client = Client(pair.a.http, accept)
    for query in ("{ __typename }", "{ nothing }", "{"):
        answer = await client.post(query)
        assert answer.headers["content-type"].startswith("application/graphql-response+json")
    room = await room_of(pair)
    async with following(pair.a, room, room.bob, room.beginning, **accept) as stream:
        await room.say("hi")
        assert (await stream.change())["message"]["content"] == "hi"


async def test_who_hangs_up_leaves_nothing_behind(pair: Pair) -> None:
    """Neither a place among the person's connections, nor one to the database."""
    room = await room_of(pair)
    for _ in range(60):
        async with following(pair.a, room, room.bob, after=room.beginning) as stream:
            assert stream.answer.status_code == 200
    await until(lambda: idle(pair))


async def idle(pair: Pair) -> bool:
    """Whether no transaction is open."""
    open_ = await pair.admin.fetchval(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND usename = 'parley_app' AND state <> 'idle'"
    )
    return bool(open_ == 0)


async def test_a_silent_stream_is_kept_open(silent: Stream) -> None:
    assert await silent.event() == ("", "ping")


async def test_nothing_of_it_is_a_fault_of_ours(pair: Pair) -> None:
    for server in (pair.a, pair.b):
        assert "Traceback" not in server.said()
        assert " ERROR " not in server.said()

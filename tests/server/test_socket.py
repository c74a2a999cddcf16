"""graphql-transport-ws to the letter, and what breaks it."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.server.pair import Pair, pair, paired, servers, until
from tests.server.processes import bearer, token_of
from tests.server.sockets import FOLLOW, PROTOCOL, Closed, Room, raw_socket, room_of, socket_of

__all__ = ["pair", "servers"]

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.parametrize("servers", ["memory"], indirect=True),
]

WHO = "{ viewer { user { username } } tenant { slug } }"


async def closed_after(pair: Pair, *messages: Any, protocol: str = PROTOCOL) -> Closed:
    async with raw_socket(pair.a, protocol) as socket:
        for message in messages:
            await socket.raw(message)
        return await socket.closed()


def init(room: Room, **more: Any) -> dict[str, Any]:
    return {"type": "connection_init", "payload": bearer(token_of(room.bob)) | more}


async def test_changes_come_in_order(pair: Pair) -> None:
    """Also of a message that somebody sends at the other process."""
    room = await room_of(pair)
    async with socket_of(pair.a, room.bob) as socket, socket_of(pair.b, room.ada) as other:
        await room.began(socket, other)
        for number in range(10):
            await room.say(str(number), (pair.a, pair.b)[number % 2])
        expected = [
            (
                "ADDED",
                {"content": str(n), "sequence": n + 2, "author": {"username": room.ada.username}},
            )
            for n in range(10)
        ]
        for each in (socket, other):
            changes = await each.changes(10)
            assert [(change["kind"], change["message"]) for change in changes] == expected


@pytest.mark.parametrize(
    "payload",
    [
        None,
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer x"},
        {"Authorization": 1},
        {"Authorization": ["Bearer x"]},
        {"Authorization": {"Bearer": "x"}},
        {"Authorization": "Bearer ü"},
    ],
)
async def test_a_token_is_needed(pair: Pair, payload: Any) -> None:
    message = {"type": "connection_init"} | ({} if payload == {} else {"payload": payload})
    code, reason = await closed_after(pair, message)
    assert code == 4403
    assert reason.startswith("UNAUTHENTICATED: ")


async def test_names_of_the_payload_are_read_without_case(pair: Pair) -> None:
    room = await room_of(pair)
    other = await pair.tenant()
    for name, tenant in (("AUTHORIZATION", "x-tenant"), ("authorization", "X-TENANT")):
        async with raw_socket(pair.a) as socket:
            payload = {name: f"bearer {token_of(room.bob)}", tenant: room.slug}
            await socket.send("connection_init", payload=payload)
            assert await socket.receive() == {"type": "connection_ack"}
            assert (await socket.answer(WHO))["data"]["tenant"] == {"slug": room.slug}
    async with socket_of(pair.a, room.bob, other[1]) as socket:
        answer = await socket.answer("{ tenant { slug } }")
        assert [error["extensions"]["code"] for error in answer["errors"]] == ["FORBIDDEN"]


@pytest.mark.parametrize(
    "message",
    [
        b"{}",
        "{",
        "",
        "null",
        "1",
        "[]",
        '"x"',
        "[[]]",
        "{}",
        '{"type": null}',
        '{"type": ["ping"]}',
        '{"type": "x"}',
        '{"type": "next", "id": "1", "payload": {}}',
        '{"type": "connection_ack"}',
        '{"type": "connection_init", "payload": []}',
        '{"type": "connection_init", "payload": "x"}',
        '{"type": "ping", "payload": 1}',
        '{"type": "start", "id": "1", "payload": {"query": "{ __typename }"}}',
        '{"type": "subscribe"}',
        '{"type": "subscribe", "id": 1, "payload": {"query": "{ __typename }"}}',
        '{"type": "subscribe", "id": ["1"], "payload": {"query": "{ __typename }"}}',
        '{"type": "subscribe", "id": "1", "payload": "{ __typename }"}',
        '{"type": "subscribe", "id": "1", "payload": {"query": null}}',
        '{"type": "subscribe", "id": "1", "payload": {"query": "{a}", "variables": []}}',
        '{"type": "subscribe", "id": "1", "payload": {"query": "{a}", "operationName": 1}}',
        '{"type": "complete"}',
        '{"type": "complete", "id": {}}',
        '{"type": "ping", "payload": {"x": "\\ud800"}',
        "[" * 100_000,
        '{"type": "ping", "payload": ' + '{"a":' * 100_000,
        '{"type": "ping", "x": "\\ud800", "payload": ' + "[" * 100_000,
        "\x00",
    ],
)
async def test_what_is_no_message(pair: Pair, message: str | bytes) -> None:
    """Before and after it is known who sends it."""
    room = await room_of(pair)
    assert (await closed_after(pair, message))[0] == 4400
    assert (await closed_after(pair, init(room), message))[0] == 4400
    assert (await pair.a.http.get("/readyz")).status_code == 200


async def test_too_long_messages(pair: Pair) -> None:
    room = await room_of(pair)
    at_most = 1_000_000 - len('{"type":"ping","payload":{"x":""}}')
    async with socket_of(pair.a, room.bob) as socket:
        await socket.raw('{"type":"ping","payload":{"x":"' + "x" * at_most + '"}}')
        assert await socket.receive() == {"type": "pong"}
        await socket.raw('{"type":"ping","payload":{"x":"' + "x" * (at_most + 1) + '"}}')
        assert await socket.closed() == (1009, "The message is larger than 1000000 bytes.")
    assert (await closed_after(pair, "ü" * 500_001))[0] == 1009
    assert (await closed_after(pair, "x" * 20_000_000))[0] == 1009


async def test_the_order_of_messages(pair: Pair) -> None:
    room = await room_of(pair)
    subscribe = {"type": "subscribe", "id": "1", "payload": {"query": FOLLOW}}
    subscribe["payload"]["variables"] = {"talk": room.id}  # type: ignore[index]
    assert await closed_after(pair, subscribe) == (4401, "Unauthorized")
    twice = await closed_after(pair, init(room), init(room))
    assert twice == (4429, "Too many initialisation requests")
    same = await closed_after(pair, init(room), subscribe, subscribe)
    assert same == (4409, "Subscriber for 1 already exists")


async def test_an_id_may_be_used_again(pair: Pair) -> None:
    room = await room_of(pair)
    async with socket_of(pair.a, room.bob) as socket:
        for _ in range(3):
            await socket.follow(room)
            await socket.send("complete", "1")
            assert (await socket.answer("{ __typename }"))["data"] == {"__typename": "Query"}
        await socket.send("complete", "unknown")
        await socket.send("ping", payload={"x": 1})
        assert await socket.receive() == {"type": "pong"}
        await socket.send("pong")


async def test_the_handshake_has_the_requests_id(pair: Pair) -> None:
    async with raw_socket(pair.a, additional_headers={"X-Request-Id": "mine"}) as socket:
        assert socket.connection.response
        assert socket.connection.response.headers["X-Request-Id"] == "mine"


async def test_the_other_protocol_is_refused(pair: Pair) -> None:
    assert await closed_after(pair, protocol="graphql-ws") == (4406, "Subprotocol not acceptable")
    async with raw_socket(pair.a, "graphql-ws", PROTOCOL) as socket:
        assert socket.connection.subprotocol == PROTOCOL


async def test_queries_and_mutations(pair: Pair) -> None:
    room = await room_of(pair)
    async with socket_of(pair.a, room.bob) as socket:
        assert (await socket.answer(WHO))["data"]["viewer"]["user"]["username"] == room.bob.username
        sent = await socket.answer(
            "mutation ($input: SendMessageInput!)"
            " { sendMessage(input: $input) { errors { code } message { content } } }",
            input={"conversationId": room.id, "content": "hi"},
        )
        assert sent["data"]["sendMessage"] == {"errors": [], "message": {"content": "hi"}}


DEAR = "participants(first: 100) { nodes { conversations(first: 100) { nodes { id } } } }"
TWO = "...F } fragment F on Subscription { a: inboxChanges { id } b: inboxChanges { id } }"
CURSOR = "messageChanges(conversationId: $x) { cursor }"
INVALID = "GRAPHQL_VALIDATION_FAILED"


async def test_each_operation_is_of_who_they_are_by_then(pair: Pair) -> None:
    tenant, _ = await pair.tenant()
    admin = await pair.member(tenant, "ADMIN")
    query = "{ auditEvents(first: 1) { totalCount } }"
    async with socket_of(pair.a, admin) as socket:
        assert (await socket.answer(query))["data"]
        await pair.cast.connection.execute(
            "UPDATE memberships SET role = 'MEMBER' WHERE user_id = $1", admin.id
        )

        async def is_refused() -> bool:
            answer = await socket.answer(query)
            return [e["extensions"]["code"] for e in answer.get("errors", [])] == ["FORBIDDEN"]

        await until(is_refused)


@pytest.mark.usefixtures("servers")
async def test_each_operation_counts(postgres: Path) -> None:
    async with paired(postgres, None, limit_user="10/minute") as pair:
        room = await room_of(pair)
        async with socket_of(pair.a, room.bob) as socket:
            answers = [await socket.answer("{ __typename }") for _ in range(10)]
            (error,) = answers[-1]
            assert error["extensions"]["code"] == "RATE_LIMITED"
            assert all("data" in answer for answer in answers[:9])
        async with raw_socket(pair.a) as socket:
            await socket.send("connection_init", payload=bearer(token_of(room.bob)))
            code, reason = await socket.closed()
            assert (code, reason.partition(":")[0]) == (1013, "RATE_LIMITED")


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("", "BAD_INPUT"),
        ("{", "GRAPHQL_PARSE_FAILED"),
        ("{ " + "x" * 500 + " }", INVALID),
        ("subscription { " + "x(a: \ud800" * 50, "GRAPHQL_PARSE_FAILED"),
        ("subscription { inboxChanges { " + "id " * 2000 + "} }", "GRAPHQL_PARSE_FAILED"),
        ("subscription { inboxChanges { id } also: inboxChanges { id } }", INVALID),
        ("subscription { " + TWO, INVALID),
        ("subscription { __typename }", INVALID),
        ("subscription { inboxChanges @skip(if: true) { id } }", INVALID),
        ("subscription { inboxChanges { " + DEAR * 21 + " } }", "BAD_INPUT"),
        ("subscription ($x: ID!) { " + CURSOR + " }", "BAD_INPUT"),
        ('subscription ($x: ID! = "x") { ' + CURSOR + " }", "BAD_INPUT"),
        ("query A { a: __typename } query B { b: __typename }", "BAD_INPUT"),
        ("query ($x: ID!) { node(id: $x) { id } }", "BAD_INPUT"),
    ],
)
async def test_what_is_wrong_in_itself(pair: Pair, query: str, code: str) -> None:
    """An `error` that ends the operation, and not the socket."""
    room = await room_of(pair)
    async with socket_of(pair.a, room.bob) as socket:
        await socket.raw(json.dumps({"type": "subscribe", "id": "1", "payload": {"query": query}}))
        message = await socket.receive()
        assert (message["type"], message["id"]) == ("error", "1")
        assert [error["extensions"]["code"] for error in message["payload"]] == [code]
        assert (await socket.answer("{ __typename }"))["data"] == {"__typename": "Query"}


async def test_what_is_no_text(pair: Pair) -> None:
    """Though its frame says so; and nobody's log is filled with it."""
    async with raw_socket(pair.a) as socket:
        await socket.connection.send(b"\xff{}", text=True)
        assert (await socket.closed())[0] == 1007


async def test_nothing_of_it_is_a_fault_of_ours(pair: Pair) -> None:
    """After all of the above."""
    for server in (pair.a, pair.b):
        assert "Traceback" not in server.said()
        assert " ERROR " not in server.said()

"""Ways to follow a conversation, each until the connection is lost."""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import httpx
import orjson
from gql import Client, gql
from gql.transport.exceptions import TransportError, TransportQueryError
from gql.transport.websockets import WebsocketsTransport
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.frames import Close
from websockets.typing import Subprotocol

from tests.server.processes import LONG, Server
from tests.server.sockets import PROTOCOL, address

QUERY = """subscription ($talk: ID!, $after: String) {
    messageChanges(conversationId: $talk, after: $after) {
        kind cursor message { id content sequence deletedAt author { username } } } }"""
PASSING = {"SLOW_CONSUMER", "GOING_AWAY", "INTERNAL"}
"""Codes of errors upon which a client comes back."""

PASSING_CLOSE = {1001, 1012, 1013}
"""Of what sockets are closed with; upon others graphql-ws does not."""


class Ended(Exception):
    """By the server, with errors."""


LOST = (
    *(OSError, TimeoutError, EOFError, Ended),
    *(httpx.HTTPError, WebSocketException, TransportError),
)


def is_passing(error: Exception) -> bool:
    """Whether a client comes back upon it."""
    match error:
        case Ended(args=([{"extensions": {"code": code}}, *_],)):
            return code in PASSING
        case ConnectionClosed(rcvd=Close(code=code)):
            return code in PASSING_CLOSE
    return True


@dataclass
class Asked:
    server: Server
    headers: dict[str, str]
    variables: dict[str, Any]


Follow = Callable[[Asked], AsyncGenerator[Any, None]]


async def over_websocket(asked: Asked) -> AsyncGenerator[Any, None]:
    async with connect(
        address(asked.server), subprotocols=[Subprotocol(PROTOCOL)], proxy=None, compression=None
    ) as socket:
        try:
            await socket.send(_frame(type="connection_init", payload=asked.headers))
            payload = {"query": QUERY, "variables": asked.variables}
            assert orjson.loads(await socket.recv()) == {"type": "connection_ack"}
            await socket.send(_frame(type="subscribe", id="1", payload=payload))
            async for text in socket:
                message = orjson.loads(text)
                if message["type"] == "error":
                    raise Ended(message["payload"])
                assert message["type"] == "next", message
                yield _data(message["payload"])
            raise EOFError
        finally:
            socket.transport.abort()


async def over_gql(asked: Asked) -> AsyncGenerator[Any, None]:
    transport = WebsocketsTransport(
        address(asked.server),
        init_payload=asked.headers,
        subprotocols=[PROTOCOL],
        connect_args={"proxy": None},
    )
    async with Client(transport=transport) as session:
        query = gql(QUERY)
        query.variable_values = asked.variables
        try:
            async with aclosing(session.subscribe(query)) as answers:
                async for data in answers:
                    yield data["messageChanges"]
        except TransportQueryError as error:
            raise Ended(error.errors) from error
        raise EOFError


async def over_events(asked: Asked) -> AsyncGenerator[Any, None]:
    async with (
        httpx.AsyncClient(timeout=LONG, verify=False, trust_env=False) as http,
        http.stream(
            "POST",
            address(asked.server, "http"),
            json={"query": QUERY, "variables": asked.variables},
            headers=asked.headers | {"Accept": "text/event-stream"},
        ) as answer,
    ):
        if answer.status_code >= 500:
            raise EOFError
        assert answer.status_code == 200, await answer.aread()
        async for line in answer.aiter_lines():
            field, _, value = line.partition(": ")
            if field == "data" and value:
                yield _data(orjson.loads(value))
        raise EOFError


def _frame(**message: Any) -> str:
    return orjson.dumps(message).decode()


def _data(payload: Any) -> Any:
    if "errors" in payload:
        raise Ended(payload["errors"])
    return payload["data"]["messageChanges"]

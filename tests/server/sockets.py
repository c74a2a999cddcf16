"""Raw sockets of graphql-transport-ws, and people who talk meanwhile."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from resolvers.message_change import Cursors
from schema.node import global_id
from tests.graph import Person
from tests.server.pair import Pair
from tests.server.processes import LONG, Server, bearer, token_of

PROTOCOL = "graphql-transport-ws"
FOLLOW = """subscription ($talk: ID!, $after: String) {
    messageChanges(conversationId: $talk, after: $after) {
        kind cursor message { content sequence author { username } } } }"""
Closed = tuple[int | None, str]
"""Code and reason."""


@dataclass(frozen=True)
class Room:
    """A conversation of two, in a workspace of its own."""

    pair: Pair
    tenant: UUID
    slug: str
    ada: Person
    bob: Person
    talk: UUID

    @property
    def id(self) -> str:
        return global_id("Conversation", self.talk)

    @property
    def beginning(self) -> str:
        """A cursor before all changes."""
        return Cursors(self.tenant, self.talk).cursor(0)

    async def began(self, *sockets: "Socket") -> None:
        """Each follows it, as its operation 1, from the beginning on."""
        await self.say("began")
        for socket in sockets:
            await socket.follow(self, after=self.beginning)
            await socket.changes(1)

    async def say(self, content: str, server: Server | None = None) -> None:
        client = (server or self.pair.a).signed_in(self.ada)
        payload = await client.mutate(
            "sendMessage", "message { id }", conversationId=self.id, content=content
        )
        assert payload["errors"] == []


async def room_of(pair: Pair) -> Room:
    tenant, slug = await pair.tenant()
    ada, bob = await pair.member(tenant), await pair.member(tenant)
    talk = await pair.cast.conversation(tenant, ada.id, bob.id)
    return Room(pair, tenant, slug, ada, bob, talk)


@dataclass
class Socket:
    connection: ClientConnection

    async def send(self, type: str, id: str | None = None, payload: Any = None) -> None:
        message = {"type": type} | ({"id": id} if id else {})
        await self.raw(message | ({} if payload is None else {"payload": payload}))

    async def raw(self, message: Any) -> None:
        text = message if isinstance(message, str | bytes) else json.dumps(message)
        await self.connection.send(text)

    async def receive(self) -> Any:
        async with asyncio.timeout(LONG):
            return json.loads(await self.connection.recv(decode=True))

    async def ask(self, query: str, id: str = "1", **variables: Any) -> None:
        await self.send("subscribe", id, {"query": query, "variables": variables})

    async def follow(self, room: Room, id: str = "1", after: str | None = None) -> None:
        await self.ask(FOLLOW, id, talk=room.id, after=after)

    async def answer(self, query: str, id: str = "1", **variables: Any) -> Any:
        """The payload of an operation that answers once, or fails."""
        await self.ask(query, id, **variables)
        message = await self.receive()
        assert message["id"] == id
        if message["type"] == "next":
            assert await self.receive() == {"type": "complete", "id": id}
        return message["payload"]

    async def changes(self, number: int, id: str = "1") -> list[Any]:
        messages = [await self.receive() for _ in range(number)]
        assert {message["id"] for message in messages} == {id}
        return [message["payload"]["data"]["messageChanges"] for message in messages]

    async def closed(self) -> Closed:
        """What it is closed with; what comes before is of no interest."""
        async with asyncio.timeout(LONG):
            try:
                while True:
                    await self.connection.recv()
            except ConnectionClosed as closed:
                return (closed.rcvd.code, closed.rcvd.reason) if closed.rcvd else (None, "")


def address(server: Server, scheme: str = "ws") -> str:
    return str(server.http.base_url.copy_with(scheme=scheme, path="/graphql"))


@asynccontextmanager
async def raw_socket(server: Server, *protocols: str, **options: Any) -> AsyncIterator[Socket]:
    """Connected, and silent."""
    subprotocols = [Subprotocol(each) for each in protocols or (PROTOCOL,)]
    async with connect(
        address(server), subprotocols=subprotocols, proxy=None, **options
    ) as connection:
        yield Socket(connection)


@asynccontextmanager
async def socket_of(
    server: Server, person: Person, tenant: str | None = None, **options: Any
) -> AsyncIterator[Socket]:
    async with raw_socket(server, **options) as socket:
        await socket.send("connection_init", payload=bearer(token_of(person), tenant))
        assert await socket.receive() == {"type": "connection_ack"}
        yield socket

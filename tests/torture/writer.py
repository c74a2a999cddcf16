import asyncio
import random
import time
from dataclasses import dataclass, field
from typing import Any

import httpx
from uuid_utils.compat import uuid7

from tests.graph import Client, Person
from tests.server.processes import Server
from tests.torture.place import Place, credentials

AGAIN_SECONDS = 0.1
SEND, EDIT, DELETE, RESTORE = "sendMessage", "editMessage", "deleteMessage", "restoreMessage"


@dataclass
class Writer:
    """Of messages in one conversation, its own. What failed is asked again: all of it may be."""

    person: Person
    place: Place
    servers: list[Server]
    chance: random.Random
    rest: float
    """Seconds between two requests."""

    contents: dict[str, str] = field(default_factory=dict)
    """By the message's id."""

    deleted: list[str] = field(default_factory=list)

    retries: int = 0
    doing: str = ""
    since: float = field(default_factory=time.monotonic)

    async def write(self, until: asyncio.Event) -> None:
        """Mostly sends."""
        while not until.is_set():
            mine = [id for id in self.contents if id not in self.deleted]
            match self.chance.choice([SEND] * 6 + [EDIT] * 2 + [DELETE, RESTORE]):
                case "editMessage" if mine:
                    await self.edit(self.chance.choice(mine))
                case "deleteMessage" if mine:
                    self.deleted.append(self.chance.choice(mine))
                    await self._done(DELETE, id=self.deleted[-1])
                case "restoreMessage" if self.deleted:
                    await self._done(RESTORE, id=self.deleted.pop())
                case _:
                    await self.send()
            await asyncio.sleep(self.chance.uniform(0, 2 * self.rest))

    async def send(self) -> None:
        key = str(uuid7())
        message = await self._done(
            SEND, conversationId=self.place.id, content=key, idempotencyKey=key
        )
        self.contents[message["id"]] = key

    async def edit(self, id: str) -> None:
        self.contents[id] = str(uuid7())
        await self._done(EDIT, id=id, content=self.contents[id])

    async def _done(self, mutation: str, **input: Any) -> Any:
        """The message."""
        self.doing, self.since = mutation, time.monotonic()
        query = (
            f"mutation ($input: {mutation[0].upper()}{mutation[1:]}Input!)"
            f" {{ {mutation}(input: $input) {{ errors {{ code message }} message {{ id }} }} }}"
        )
        if mutation in (DELETE, RESTORE):
            query = query.replace(f"{mutation[0].upper()}{mutation[1:]}Input", "MessageIdInput")
        while True:
            http = self.chance.choice(self.servers).http
            payload = await self._answer(Client(http, credentials(self.person)), query, input)
            if payload is not None:
                self.doing = ""
                assert payload["errors"] == [], payload
                return payload["message"]
            self.retries += 1
            await asyncio.sleep(self.chance.uniform(0, 2 * AGAIN_SECONDS))

    async def _answer(self, client: Client, query: str, input: dict[str, Any]) -> Any:
        """The payload; None when whether it was done is not known."""
        try:
            answer = await client.post(query, input=input)
        except httpx.HTTPError:
            return None
        if answer.status_code >= 500:
            return None
        answered = answer.json()
        if "errors" in answered:
            codes = {error["extensions"]["code"] for error in answered["errors"]}
            assert codes == {"INTERNAL"}, answered
            return None
        (payload,) = answered["data"].values()
        return payload

    def __str__(self) -> str:
        return f"{self.person.username} {self.doing} {time.monotonic() - self.since:.0f} s"

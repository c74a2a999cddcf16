"""A cast of people in two workspaces, and a client that asks as one of them."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import orjson
from starlette.types import ASGIApp
from uuid_utils.compat import uuid7

from core.credentials import AccessTokens
from core.settings import Settings
from schema.schema import schema
from server.app import create_app

START = datetime(2026, 1, 1, tzinfo=UTC)
# Without what tests of something else would only wait for, or have to count.
SETTINGS = Settings(
    environment="test",
    sign_in_floor=0,
    limit_address=None,
    limit_user=None,
    limit_tenant=None,
)
TOKENS = AccessTokens.of(SETTINGS)


@dataclass
class Person:
    id: UUID
    session_id: UUID
    username: str


@dataclass
class Cast:
    """Inserts what a test needs, as the owner of the tables. Returns keys."""

    connection: "asyncpg.Connection[asyncpg.Record]"
    clock: datetime = START
    people: dict[str, Person] = field(default_factory=dict)

    def tick(self) -> datetime:
        self.clock += timedelta(minutes=1)
        return self.clock

    async def insert(self, table: str, **values: Any) -> UUID:
        values.setdefault("id", uuid7())
        columns = ", ".join(values)
        places = ", ".join(f"${n}" for n in range(1, len(values) + 1))
        packed = [
            orjson.dumps(value).decode() if isinstance(value, dict) else value
            for value in values.values()
        ]
        await self.connection.execute(f"INSERT INTO {table} ({columns}) VALUES ({places})", *packed)
        id: UUID = values["id"]
        return id

    async def tenant(self, slug: str) -> UUID:
        return await self.insert("tenants", slug=slug, name=slug.title())

    async def person(self, username: str, home: UUID | None = None, **values: Any) -> Person:
        user = await self.insert(
            "users", username=username, email=f"{username}@example.com", **values
        )
        session = await self.insert(
            "sessions",
            user_id=user,
            home_tenant_id=home,
            expires_at=datetime.now(UTC) + timedelta(days=1),
        )
        person = self.people[username] = Person(user, session, username)
        return person

    async def member(self, tenant: UUID, user: UUID, role: str = "MEMBER") -> UUID:
        return await self.insert(
            "memberships", tenant_id=tenant, user_id=user, role=role, created_at=self.tick()
        )

    async def conversation(self, tenant: UUID, *people: UUID, **values: Any) -> UUID:
        """The first of `people` owns it; all take part."""
        id = uuid7()
        defaults = {"short_id": id.hex, "title": f"Talk {id.hex[-4:]}", "created_at": self.tick()}
        await self.insert(
            "conversations",
            id=id,
            tenant_id=tenant,
            owner_id=people[0],
            **(defaults | values),
        )
        for user in people:
            await self.insert(
                "participants",
                tenant_id=tenant,
                conversation_id=id,
                user_id=user,
                created_at=self.tick(),
            )
        return id

    async def message(
        self, tenant: UUID, conversation: UUID, author: UUID | None, **values: Any
    ) -> UUID:
        at = self.tick()
        async with self.connection.transaction():  # who follows sees both, or neither
            sequence = await self.connection.fetchval(
                "UPDATE conversations SET last_sequence = last_sequence + 1, version = version + 1,"
                " message_count = message_count + 1, last_message_at = $3"
                " WHERE tenant_id = $1 AND id = $2 RETURNING last_sequence",
                tenant,
                conversation,
                at,
            )
            defaults = {
                "role": "USER" if author else "ASSISTANT",
                "content": f"message {sequence}",
                "created_at": at,
            }
            return await self.insert(
                "messages",
                tenant_id=tenant,
                conversation_id=conversation,
                author_id=author,
                sequence=sequence,
                version=sequence,
                **(defaults | values),
            )

    async def document(self, tenant: UUID, owner: UUID | None, **values: Any) -> UUID:
        defaults = {
            "filename": "notes.md",
            "content_type": "text/markdown",
            "content": "notes",
            "size": 5,
            "created_at": self.tick(),
        }
        return await self.insert(
            "documents", tenant_id=tenant, owner_id=owner, **(defaults | values)
        )

    async def audit_event(self, tenant: UUID, action: str, **values: Any) -> UUID:
        defaults = {"created_at": self.tick()}
        return await self.insert(
            "audit_events", tenant_id=tenant, action=action, **(defaults | values)
        )

    async def cite(self, tenant: UUID, message: UUID, *documents: UUID) -> None:
        for position, document in enumerate(documents):
            await self.insert(
                "message_documents",
                tenant_id=tenant,
                message_id=message,
                document_id=document,
                position=position,
            )


@dataclass
class Client:
    """Asks the app over HTTP, as one person in one workspace, or as nobody."""

    http: httpx.AsyncClient
    headers: Mapping[str, str] = field(default_factory=dict)

    def signed_in(self, person: Person, tenant: str | None = None) -> "Client":
        token = TOKENS.sign(person.id, person.session_id, expires_in=timedelta(minutes=5))
        headers = {"Authorization": f"Bearer {token}"}
        return Client(self.http, headers | ({"X-Tenant": tenant} if tenant else {}))

    async def post(self, query: str, **variables: Any) -> httpx.Response:
        asked = {"query": query, "variables": variables}
        try:
            body = json.dumps(asked, ensure_ascii=False).encode()
        except UnicodeEncodeError:  # half of a surrogate pair
            body = json.dumps(asked).encode()
        headers = {"Content-Type": "application/json"} | dict(self.headers)
        return await self.http.post("/graphql", content=body, headers=headers)

    async def ask(self, query: str, **variables: Any) -> Any:
        """The data of an answer without errors."""
        answer = (await self.post(query, **variables)).json()
        assert "errors" not in answer, answer["errors"]
        return answer["data"]

    async def mutate(self, mutation: str, select: str = "", **input: Any) -> Any:
        """The payload: `errors`, and what is selected. Without input for `signOut` and its like."""
        declared, given = "", ""
        if input:
            declared, given = f"($input: {_input_type(mutation)})", "(input: $input)"
        fields = f"{{ errors {{ code message field }} {select} }}"
        data = await self.ask(f"mutation {declared} {{ {mutation}{given} {fields} }}", input=input)
        return data[mutation]

    async def refused(self, mutation: str, **input: Any) -> list[tuple[str, list[str] | None]]:
        """The code and field of each error in the payload."""
        errors = (await self.mutate(mutation, **input))["errors"]
        return [(error["code"], error["field"]) for error in errors]

    async def codes(self, query: str, **variables: Any) -> list[str]:
        """The codes of an answer's errors."""
        answer = (await self.post(query, **variables)).json()
        return [error["extensions"]["code"] for error in answer.get("errors", [])]


def _input_type(mutation: str) -> str:
    mutations = schema._schema.mutation_type
    assert mutations is not None
    return str(mutations.fields[mutation].args["input"].type)


@asynccontextmanager
async def asking(settings: Settings = SETTINGS) -> AsyncIterator[Client]:
    """As nobody, an app of its own on the database that is open."""
    async with sending(create_app(settings)) as client:
        yield client


@asynccontextmanager
async def sending(app: ASGIApp, address: str = "127.0.0.1") -> AsyncIterator[Client]:
    """As nobody, from an address."""
    transport = httpx.ASGITransport(app, client=(address, 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://parley.test") as http:
        yield Client(http)

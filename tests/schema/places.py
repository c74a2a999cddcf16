"""A workspace that holds every connection, full of ties."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from uuid import UUID

import httpx

from server.app import create_app
from tables.engine import DB
from tests.conftest import cloned
from tests.graph import SETTINGS, START, Cast, Client
from tests.schema.connections import (
    OF_OTHERS,
    Connection,
    model,
    of_conversation,
    of_document,
    of_workspace,
    orders,
)

SIZE = 23
NAMES = [
    *(*orders(), "of a user", "messages", "all messages", "participants"),
    *("members", "users", "documents", "cited by", "nothing"),
]
random = Random(4)


@dataclass(frozen=True)
class Places:
    client: Client
    connections: dict[str, Connection]
    models: dict[str, list[str]]
    cursors: dict[str, list[str]]


@asynccontextmanager
async def furnished(postgres: Path) -> AsyncIterator[Places]:
    async with cloned(postgres) as database:
        await DB.open(database.url("parley_app"), size=4)
        connection = await database.connect()
        transport = httpx.ASGITransport(create_app(SETTINGS))
        async with httpx.AsyncClient(transport=transport, base_url="http://parley.test") as http:
            yield await _furnish(Cast(connection), Client(http))
        await connection.close()


async def _furnish(cast: Cast, client: Client) -> Places:
    """Times and titles repeat, some conversations never got a message, and what a connection
    leaves out stands between what it shows."""
    tenant = await cast.tenant("acme")
    people = await _people(cast, tenant)
    talks = await _talks(cast, tenant, people[0])
    await cast.conversation(tenant, people[1], title=OF_OTHERS)
    for person in people[1:]:
        await cast.insert(
            "participants",
            tenant_id=tenant,
            conversation_id=talks[0],
            user_id=person,
            created_at=_time(),
        )
    document = await _documents(cast, tenant, talks)
    found = orders() | of_conversation(talks[0]) | of_workspace() | of_document(document)
    assert set(found) == set(NAMES)
    client = client.signed_in(cast.people["a-0"])
    cursors = {}
    for name, (connection, _) in found.items():
        edges = (await connection.page(client, first=100))["edges"]
        cursors[name] = [edge["cursor"] for edge in edges]
    return Places(
        client,
        {name: connection for name, (connection, _) in found.items()},
        {name: await model(cast, source) for name, (_, source) in found.items()},
        cursors,
    )


async def _people(cast: Cast, tenant: UUID) -> list[UUID]:
    people = []
    for n in range(SIZE):
        person = await cast.person(f"{random.choice('aZéß') if n else 'a'}-{n}", tenant)
        member = await cast.member(tenant, person.id)
        await cast.connection.execute(
            "UPDATE memberships SET created_at = $1, is_active = $2 WHERE id = $3",
            _time(),
            n % 6 != 5,
            member,
        )
        people.append(person.id)
    return people


async def _talks(cast: Cast, tenant: UUID, owner: UUID) -> list[UUID]:
    return [
        await cast.conversation(
            tenant,
            owner,
            title=random.choice(["", "B", "b", "ä", "Z'", '"', "\\"]) + random.choice("xy"),
            created_at=_time(),
            last_message_at=random.choice([None, _time(), _time()]),
            deleted_at=START if n % 6 == 5 else None,
        )
        for n in range(SIZE)
    ]


async def _documents(cast: Cast, tenant: UUID, talks: list[UUID]) -> UUID:
    """Returns the one that messages of two conversations cite."""
    cited = await cast.document(tenant, None, created_at=_time())
    for n in range(SIZE):
        gone = START if n % 6 == 5 else None
        await cast.document(tenant, None, created_at=_time(), deleted_at=gone)
        message = await cast.message(
            tenant, talks[n % 5 == 4], None, created_at=_time(), deleted_at=gone
        )
        await cast.cite(tenant, message, cited)
    await cast.connection.execute(
        "UPDATE conversations c SET message_count = (SELECT count(*) FROM messages m"
        " WHERE m.conversation_id = c.id AND m.deleted_at IS NULL)"
    )
    return cited


def _time() -> datetime:
    return START + timedelta(seconds=random.randrange(5), microseconds=random.randrange(2))

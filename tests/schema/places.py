"""A workspace that holds every connection, full of ties."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from uuid import UUID

from tables.engine import DB
from tests.conftest import cloned
from tests.graph import START, Cast, Client, asking
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
    *("members", "users", "documents", "found documents", "cited by", "audit events", "nothing"),
]
random = Random(4)


@dataclass(frozen=True)
class Places:
    member: Client
    admin: Client
    connections: dict[str, Connection]
    models: dict[str, list[str]]
    cursors: dict[str, list[str]] = field(default_factory=dict)

    def by(self, name: str) -> Client:
        """Somebody who may ask the connection."""
        return self.admin if name == "audit events" else self.member


@asynccontextmanager
async def furnished(postgres: Path) -> AsyncIterator[Places]:
    async with cloned(postgres) as database:
        await DB.open(database.url("parley_app"), size=4)
        connection = await database.connect()
        async with asking() as client:
            yield await _furnish(Cast(connection), client)
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
    for _ in range(SIZE):
        await cast.audit_event(tenant, "x", created_at=_time())
    found = orders() | of_conversation(talks[0]) | of_workspace() | of_document(document)
    assert set(found) == set(NAMES)
    places = Places(
        client.signed_in(cast.people["a-0"]),
        client.signed_in(cast.people["root"]),
        {name: connection for name, (connection, _) in found.items()},
        {name: await model(cast, source) for name, (_, source) in found.items()},
    )
    for name, connection in places.connections.items():
        edges = (await connection.page(places.by(name), first=100))["edges"]
        places.cursors[name] = [edge["cursor"] for edge in edges]
    return places


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
    admin = await cast.person("root", tenant)
    await cast.member(tenant, admin.id, "ADMIN")
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

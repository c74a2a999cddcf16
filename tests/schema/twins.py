"""Two workspaces that hold the same, and how to tell that one of them shows in an answer.

acme and globex: the same short ids, titles, file names, tags, keys of import, times and numbers.
What differs says so: texts of acme contain SECRET, and so do the names of its people. eve and mia
are in both.
"""

import base64
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx

from tables.engine import DB
from tests.conftest import cloned
from tests.graph import START, Cast, Client, asking

SECRET = "acmeonly"
TABLES = {
    "conversations": "Conversation",
    "messages": "Message",
    "documents": "Document",
    "memberships": "Membership",
    "participants": "Participant",
    "message_documents": "MessageDocument",
    "audit_events": "AuditEvent",
}
TOKEN = re.compile(rb"[A-Za-z0-9+/_-]{8,}={0,2}")


@dataclass
class Twin:
    id: UUID
    slug: str
    ids: dict[str, list[UUID]] = field(default_factory=dict)
    """Of all rows that only this one has, by type."""

    def some(self) -> list[tuple[str, UUID]]:
        """One of each type; the last too of people, and of what can be deleted: it is."""
        more = ("User", "Conversation", "Document")
        first = [(kind, ids[0]) for kind, ids in self.ids.items()]
        return first + [(kind, self.ids[kind][-1]) for kind in more]


@dataclass
class Twins:
    cast: Cast
    client: Client
    acme: Twin
    globex: Twin

    def by(self, name: str, tenant: str | None) -> Client:
        return self.client.signed_in(self.cast.people[name], tenant)

    def leaks(self, answer: httpx.Response) -> set[str]:
        """What of acme is in an answer, also inside of ids and cursors."""
        plain = [answer.content, repr(answer.headers).encode()]
        plain += [_decoded(token) for token in TOKEN.findall(answer.content)]
        text = b"\n".join(plain).decode(errors="replace").lower()
        secrets = {str(id) for ids in self.acme.ids.values() for id in ids}
        secrets |= {id.replace("-", "") for id in secrets} | {SECRET}
        return {secret for secret in secrets if secret in text}


def _decoded(token: bytes) -> bytes:
    try:
        return base64.urlsafe_b64decode(token.replace(b"+", b"-").replace(b"/", b"_") + b"==")
    except ValueError:
        return b""


@asynccontextmanager
async def side_by_side(postgres: Path) -> AsyncIterator[Twins]:
    async with cloned(postgres) as database:
        await DB.open(database.url("parley_app"), size=8)
        connection = await database.connect()
        async with asking() as client:
            yield await _pair(Cast(connection), client)
        await connection.close()


async def _pair(cast: Cast, client: Client) -> Twins:
    acme, globex = [Twin(await cast.tenant(slug), slug) for slug in ("acme", "globex")]
    secret = {"full_name": f"Someone {SECRET}"}
    for name, role in {"owner": "OWNER", "admin": "ADMIN", "member": "MEMBER"}.items():
        for twin, values in ((acme, secret), (globex, {})):
            person = await cast.person(f"{_name(twin)}.{name}", twin.id, **values)
            await cast.member(twin.id, person.id, role)
    eve = await cast.person("eve", acme.id)
    await cast.member(acme.id, eve.id, "MEMBER")
    await cast.member(globex.id, eve.id, "ADMIN")
    mia = await cast.person("mia", globex.id)
    for twin in (globex, acme):  # in the other order: neither the first nor the last row will do
        await cast.member(twin.id, mia.id)
    for twin in (acme, globex):
        await _fill(cast, twin)
        for table, kind in TABLES.items():
            rows = await cast.connection.fetch(
                f"SELECT id FROM {table} WHERE tenant_id = $1 ORDER BY id", twin.id
            )
            twin.ids[kind] = [row["id"] for row in rows]
        twin.ids["Tenant"] = [twin.id]
        own = [person for name, person in cast.people.items() if name.startswith(_name(twin))]
        twin.ids["User"] = [person.id for person in own]
        twin.ids["Session"] = [person.session_id for person in own]
    return Twins(cast, client, acme, globex)


def _name(twin: Twin) -> str:
    """What tells its texts from those of the other."""
    return SECRET if twin.slug == "acme" else twin.slug


async def _fill(cast: Cast, twin: Twin) -> None:
    prefix = _name(twin)
    people = [cast.people[f"{prefix}.{name}"].id for name in ("member", "owner")]
    people.append(cast.people["eve"].id)
    cast.clock = START + timedelta(days=1)  # both alike
    document = await cast.document(
        twin.id,
        people[0],
        filename="plan.md",
        content=f"{prefix} plan",
        tags=["plan"],
        metadata={"of": prefix},
        source_id="1",
    )
    await cast.document(twin.id, people[1], filename=f"{prefix}.pdf", tags=["plan", prefix])
    gone = await cast.document(
        twin.id, people[0], filename=f"{prefix}.md", tags=[prefix], deleted_at=START
    )
    values: list[dict[str, Any]] = [
        {"title": "Plans", "short_id": "plans", "source_id": "1"},
        {"title": f"Only {prefix}", "short_id": f"{prefix}-talk"},
        {"title": "Gone", "short_id": "gone", "source_id": "2", "deleted_at": START},
    ]
    for one in values:
        talk = await cast.conversation(twin.id, *people, **one)
        for n, author in enumerate([*people, None]):
            message = await cast.message(
                twin.id,
                talk,
                author,
                content=f"{prefix} says {n}",
                metadata={"of": prefix},
                deleted_at=START if n == 2 else None,
                source_id=f"{one['short_id']}-{n}",
            )
            await cast.cite(twin.id, message, document, gone)
    for actor in people[:2]:
        await cast.audit_event(
            twin.id,
            "document.added",
            actor_id=actor,
            target_id=f"Document:{document}",
            details={"of": prefix},
        )
    await cast.connection.execute(
        "UPDATE tenants SET settings = jsonb_build_object('of', $2::text) WHERE id = $1",
        twin.id,
        prefix,
    )

"""The demo workspace: a product team, its customers' troubles and an assistant.

What it holds stands in demo.toml. Everything is recognised by its natural key, so that a second
run adds what is missing and touches nothing else.
"""

import tomllib
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson

from core.passwords import Passwords
from core.settings import Settings
from ops.database import Connection, as_owner
from ops.failure import Failure
from ops.seed_conversations import SeedConversations
from ops.seed_passwords import SeedPasswords, configured_password

MORNING = time(8)
DEMO_FILE = Path(__file__).with_name("demo.toml")

ADD_TENANT = """
INSERT INTO tenants (slug, name, settings) VALUES ($1, $2, $3) ON CONFLICT (slug) DO NOTHING
"""
ADD_USER = """
INSERT INTO users (username, full_name, email)
SELECT $1, $2, CASE WHEN NOT EXISTS (SELECT FROM users WHERE email = $3) THEN $3::text END
ON CONFLICT (username) DO NOTHING
"""
ADD_MEMBERSHIP = """
INSERT INTO memberships (tenant_id, user_id, role)
SELECT $1, id, $3 FROM users WHERE username = $2
ON CONFLICT (tenant_id, user_id) DO NOTHING
"""
ADD_DOCUMENT = """
INSERT INTO documents (tenant_id, source_id, owner_id, filename, content_type, content, size,
    tags, metadata, created_at, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, octet_length($6), $7, $8, $9, $9)
ON CONFLICT (tenant_id, source_id) DO NOTHING
"""


@dataclass(frozen=True)
class Seeded:
    """What one run added."""

    users: int
    documents: int
    conversations: int
    messages: int
    passwords: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Those that were made up, by username. Nobody will see them again."""

    configured: tuple[str, ...] = ()
    """Usernames of those who got the password of the settings."""

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        if any((self.users, self.documents, self.conversations)):
            yield (
                f"demo workspace: added {self.users} users, {self.documents} documents,"
                f" {self.conversations} conversations with {self.messages} messages"
            )
        else:
            yield "the demo workspace is complete: nothing to add"
        if self.configured:
            yield f"PARLEY_SEED_PASSWORD is now the password of {', '.join(self.configured)}"
        if self.passwords:
            yield "sign in with these passwords, which are not shown again:"
            yield from (f"  {name}  {password}" for name, password in self.passwords.items())


async def seed(settings: Settings, now: datetime | None = None) -> Seeded:
    """All or nothing. The demo's days are counted back from `now` (UTC).

    Raises Failure in production, and for a password that is too weak.
    """
    if settings.environment == "production":
        raise Failure("the demo workspace is for development: its passwords are printed")
    demo = tomllib.loads(DEMO_FILE.read_text(encoding="utf-8"))
    with closing(Passwords.of(settings)) as hashing:
        configured = await configured_password(settings, hashing, demo["users"])
        passwords = SeedPasswords(hashing, configured)
        async with as_owner(settings) as connection, connection.transaction():
            await connection.execute(
                ADD_TENANT, demo["slug"], demo["name"], orjson.dumps(demo["settings"]).decode()
            )
            tenant_id = await connection.fetchval(
                "SELECT id FROM tenants WHERE slug = $1", demo["slug"]
            )
            seeding = _Seeding(connection, tenant_id, now or datetime.now(UTC), passwords)
            return await seeding.run(demo)


@dataclass(frozen=True)
class _Seeding:
    connection: Connection
    tenant_id: UUID
    now: datetime
    passwords: SeedPasswords

    async def run(self, demo: dict[str, Any]) -> Seeded:
        users = [await self._add_user(user) for user in demo["users"]]
        names = [user["username"] for user in demo["users"]]
        rows = await self.connection.fetch(
            "SELECT username, id FROM users WHERE username = ANY($1)", names
        )
        people = {row["username"]: row["id"] for row in rows}
        documents = [await self._add_document(item, people) for item in demo["documents"]]
        conversations = SeedConversations(self.connection, self.tenant_id, people)
        messages = [
            await conversations.add(item, self._time(item["days_ago"], item["at"]))
            for item in demo["conversations"]
        ]
        given = self.passwords.given
        return Seeded(
            sum(users),
            sum(documents),
            sum(map(bool, messages)),
            sum(messages),
            {} if self.passwords.configured else given,
            tuple(given) if self.passwords.configured else (),
        )

    def _time(self, days_ago: int, at: time) -> datetime:
        return datetime.combine(self.now.date() - timedelta(days=days_ago), at, UTC)

    async def _add_user(self, user: dict[str, str]) -> int:
        person = (user["username"], user["full_name"], user["email"])
        added = _count(await self.connection.execute(ADD_USER, *person))
        await self.connection.execute(
            ADD_MEMBERSHIP, self.tenant_id, user["username"], user["role"]
        )
        await self.passwords.give(self.connection, user, added=bool(added))
        return added

    async def _add_document(self, document: dict[str, Any], people: dict[str, UUID]) -> int:
        added = await self.connection.execute(
            ADD_DOCUMENT,
            self.tenant_id,
            f"demo:{document['filename']}",
            people[document["owner"]],
            document["filename"],
            document["content_type"],
            document["content"],
            document["tags"],
            orjson.dumps(document["metadata"]).decode(),
            self._time(document["days_ago"], MORNING),
        )
        return _count(added)


def _count(tag: str) -> int:
    """Of a command tag such as "INSERT 0 1"."""
    return int(tag.rsplit(" ", 1)[1])

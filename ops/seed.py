"""The demo workspace: a product team, its customers' troubles and an assistant.

What it holds stands in demo.toml. Everything is recognised by its natural key, so that a second
run adds what is missing and touches nothing else.
"""

import secrets
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson

from core.errors import BadInput
from core.passwords import Passwords
from core.settings import Settings
from ops.database import Connection, as_owner
from ops.failure import Failure

MORNING = time(8)
PASSWORD_BYTES = 12
DEMO_FILE = Path(__file__).with_name("demo.toml")

ADD_TENANT = """
INSERT INTO tenants (slug, name) VALUES ($1, $2) ON CONFLICT (slug) DO NOTHING
"""
ADD_USER = """
INSERT INTO users (username, full_name, email)
SELECT $1, $2, CASE WHEN NOT EXISTS (SELECT FROM users WHERE email = $3) THEN $3::text END
ON CONFLICT (username) DO NOTHING
"""
# Whom this run added ($4), or an earlier one that gave no passwords: all that they say is the
# demo's. Somebody who merely has the username must not be given a password that others know.
FIND_LACKING = """
SELECT id FROM users WHERE username = $1 AND password_hash IS NULL
    AND ($4 OR (full_name = $2 AND email = $3)) FOR NO KEY UPDATE
"""
GIVE = """
UPDATE users SET password_hash = $2 WHERE id = $1 AND password_hash IS NULL
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
ADD_CONVERSATION = """
INSERT INTO conversations (tenant_id, short_id, owner_id, title, message_count, last_sequence,
    version, created_at, updated_at, last_message_at)
VALUES ($1, $2, $3, $4, $5::int, $5::int, $5::int, $6, $7, $7)
ON CONFLICT (tenant_id, short_id) DO NOTHING RETURNING id
"""
ADD_PARTICIPANT = """
INSERT INTO participants (tenant_id, conversation_id, user_id, last_read_sequence, read_count,
    created_at)
VALUES ($1, $2, $3, $4::int, $4::int, $5)
"""
ADD_MESSAGE = """
INSERT INTO messages (tenant_id, conversation_id, sequence, version, role, author_id, content,
    token_count, created_at, updated_at)
VALUES ($1, $2, $3::int, $3::int, $4, $5, $6, $7, $8, $8) RETURNING id
"""
CITE = """
INSERT INTO message_documents (tenant_id, message_id, document_id, position)
SELECT $1, $2, id, $4 FROM documents WHERE tenant_id = $1 AND source_id = $3
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
    with closing(Passwords.of(settings)) as passwords:
        configured = await _configured_password(settings, passwords, demo["users"])
        async with as_owner(settings) as connection, connection.transaction():
            await connection.execute(ADD_TENANT, demo["slug"], demo["name"])
            tenant_id = await connection.fetchval(
                "SELECT id FROM tenants WHERE slug = $1", demo["slug"]
            )
            seeding = _Seeding(
                connection, tenant_id, now or datetime.now(UTC), passwords, configured
            )
            return await seeding.run(demo)


async def _configured_password(
    settings: Settings, passwords: Passwords, users: list[dict[str, str]]
) -> str | None:
    """Raises Failure when it is too weak."""
    if settings.seed_password is None:
        return None
    password = settings.seed_password.get_secret_value()
    personal = [user[name] for user in users for name in ("username", "full_name", "email")]
    try:
        await passwords.check_strength(password, *personal)
    except BadInput as error:
        raise Failure(f"PARLEY_SEED_PASSWORD: {error.message}") from None
    return password


@dataclass
class _Seeding:
    connection: Connection
    tenant_id: UUID
    now: datetime
    passwords: Passwords
    configured: str | None
    """The password of everybody; None: each gets another one."""

    given: dict[str, str] = field(default_factory=dict)
    """Passwords by username, of this run."""

    async def run(self, demo: dict[str, Any]) -> Seeded:
        users = [await self._add_user(user) for user in demo["users"]]
        names = [user["username"] for user in demo["users"]]
        rows = await self.connection.fetch(
            "SELECT username, id FROM users WHERE username = ANY($1)", names
        )
        people = {row["username"]: row["id"] for row in rows}
        documents = [await self._add_document(item, people) for item in demo["documents"]]
        messages = [await self._add_conversation(item, people) for item in demo["conversations"]]
        return Seeded(
            sum(users),
            sum(documents),
            sum(map(bool, messages)),
            sum(messages),
            {} if self.configured else self.given,
            tuple(self.given) if self.configured else (),
        )

    def _time(self, days_ago: int, at: time) -> datetime:
        return datetime.combine(self.now.date() - timedelta(days=days_ago), at, UTC)

    async def _add_user(self, user: dict[str, str]) -> int:
        person = (user["username"], user["full_name"], user["email"])
        added = _count(await self.connection.execute(ADD_USER, *person))
        await self.connection.execute(
            ADD_MEMBERSHIP, self.tenant_id, user["username"], user["role"]
        )
        if id := await self.connection.fetchval(FIND_LACKING, *person, bool(added)):
            await self._give_password(user["username"], id)
        return added

    async def _give_password(self, username: str, id: UUID) -> None:
        password = self.configured or secrets.token_urlsafe(PASSWORD_BYTES)
        await self.connection.execute(GIVE, id, await self.passwords.hash(password))
        self.given[username] = password

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

    async def _add_conversation(self, item: dict[str, Any], people: dict[str, UUID]) -> int:
        """Returns how many messages it got; 0 when it was there already."""
        messages, start = item["messages"], self._time(item["days_ago"], item["at"])
        times = times_of(messages, start)
        conversation_id = await self.connection.fetchval(
            ADD_CONVERSATION,
            self.tenant_id,
            item["short_id"],
            people[item["owner"]],
            item["title"],
            len(messages),
            start,
            times[-1],
        )
        if conversation_id is None:
            return 0
        for name in item["participants"]:
            read = len(messages) - item.get("unread", {}).get(name, 0)
            await self.connection.execute(
                ADD_PARTICIPANT, self.tenant_id, conversation_id, people[name], read, start
            )
        for sequence, (message, at) in enumerate(zip(messages, times, strict=True), start=1):
            await self._add_message(conversation_id, sequence, message, at, people)
        return len(messages)

    async def _add_message(
        self,
        conversation_id: UUID,
        sequence: int,
        message: dict[str, Any],
        at: datetime,
        people: dict[str, UUID],
    ) -> None:
        role = {"assistant": "ASSISTANT", "system": "SYSTEM"}.get(message["by"], "USER")
        text = message["text"].strip()
        message_id = await self.connection.fetchval(
            ADD_MESSAGE,
            self.tenant_id,
            conversation_id,
            sequence,
            role,
            people[message["by"]] if role == "USER" else None,
            text,
            len(text) // 4 + 1 if role == "ASSISTANT" else None,
            at,
        )
        for position, filename in enumerate(message.get("uses", [])):
            await self.connection.execute(
                CITE, self.tenant_id, message_id, f"demo:{filename}", position
            )


def times_of(messages: list[dict[str, Any]], start: datetime) -> list[datetime]:
    """People take their time to read and type, the assistant does not; `later` (minutes) is a
    pause on top."""
    times, at = [], start
    for message in messages:
        seconds = 3 + len(message["text"]) / 60 if message["by"] == "assistant" else 25
        seconds += 0 if message["by"] == "assistant" else len(message["text"]) * 0.6
        at += timedelta(seconds=seconds, minutes=message.get("later", 0))
        times.append(at)
    return times


def _count(tag: str) -> int:
    """Of a command tag such as "INSERT 0 1"."""
    return int(tag.rsplit(" ", 1)[1])

"""How fast messages are sent when many send at once: into one conversation, and into 50.

Run: .venv/bin/python -m benchmarks.sending [--senders 200] [--each 10] [--fast] [--no-plan]
"""

import argparse
import asyncio
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from statistics import quantiles
from typing import TypeAlias
from uuid import UUID

import asyncpg
import httpx
import orjson

from benchmarks.sending_plan import prepare, print_plan
from core.credentials import AccessTokens
from core.settings import Settings
from core.viewer import TenantRole, Viewer
from ops.postgres import running
from resolvers.message_sending import send_message
from schema.node import global_id
from server.app import create_app
from server.lifespan import Lifespan
from tables.engine import DB

PLACES = 50
PATIENCE = 300.0
"""Seconds that a sender waits for one of the server's connections: hundreds share 16."""

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
Send = Callable[[Viewer, UUID, str], Awaitable[int]]
"""Says something; the message's sequence."""

PEOPLE_SQL = """
    WITH people AS (
        INSERT INTO users (username, email)
        SELECT 'user' || n, 'user' || n || '@example.com' FROM generate_series(1, $1::int) n
        RETURNING id
    ), workspace AS (
        INSERT INTO tenants (slug, name) VALUES ('bench', 'Bench') RETURNING id
    ), members AS (
        INSERT INTO memberships (tenant_id, user_id, role)
        SELECT w.id, p.id, 'MEMBER' FROM workspace w, people p
    )
    INSERT INTO sessions (user_id, home_tenant_id, expires_at)
        SELECT p.id, w.id, now() + interval '1 day' FROM workspace w, people p
        RETURNING id, user_id, home_tenant_id
"""
PLACE_SQL = """
    WITH place AS (
        INSERT INTO conversations (tenant_id, short_id, title)
        VALUES ($1, gen_random_uuid()::text, 'Talk') RETURNING id
    )
    INSERT INTO participants (tenant_id, conversation_id, user_id)
        SELECT $1, place.id, person FROM place, unnest($2::uuid[]) AS person
        RETURNING conversation_id
"""
MUTATION = """mutation ($input: SendMessageInput!) { sendMessage(input: $input) {
    errors { code message } message { id sequence content createdAt author { username } } } }"""


@dataclass
class Workspace:
    connection: Connection
    url: str
    people: Sequence[Viewer]

    async def places(self, number: int) -> list[UUID]:
        """Conversations, among which the people are dealt out."""
        tenant_id = self.people[0].tenant_id
        return [
            await self.connection.fetchval(
                PLACE_SQL, tenant_id, [person.user_id for person in self.people[n::number]]
            )
            for n in range(number)
        ]


async def open_workspace(socket: Path, senders: int) -> Workspace:
    await prepare(socket, "sending")
    connection = await asyncpg.connect(user="postgres", database="sending", host=str(socket))
    people = [
        Viewer(row["user_id"], row["id"], row["home_tenant_id"], TenantRole.MEMBER)
        for row in await connection.fetch(PEOPLE_SQL, senders)
    ]
    return Workspace(connection, f"postgresql://parley_app@/sending?host={socket}", people)


@asynccontextmanager
async def by_rule(url: str) -> AsyncIterator[Send]:
    async def send(who: Viewer, place: UUID, content: str) -> int:
        message = await send_message(who, place, content)
        return int(message["sequence"])

    await DB.open(url, acquire_timeout=PATIENCE, statement_timeout=PATIENCE)
    yield send
    await DB.close()


@asynccontextmanager
async def by_graphql(url: str) -> AsyncIterator[Send]:
    """The client is in the same process, so its work counts as well."""
    settings = Settings(
        environment="test",
        database_url=url,
        acquire_timeout=PATIENCE,
        statement_timeout=PATIENCE,
        limit_address=None,
        limit_user=None,
        limit_tenant=None,
    )
    app, tokens = create_app(settings), AccessTokens.of(settings)
    assert isinstance(app, Lifespan)

    async def send(who: Viewer, place: UUID, content: str) -> int:
        token = tokens.sign(who.user_id, who.session_id, expires_in=timedelta(hours=1))
        given = {"conversationId": str(global_id("Conversation", place)), "content": content}
        answer = await http.post(
            "/graphql",
            content=orjson.dumps({"query": MUTATION, "variables": {"input": given}}),
            headers={"Content-Type": "application/json", "Authorization": f"Bearer {token}"},
        )
        return int(answer.json()["data"]["sendMessage"]["message"]["sequence"])

    await app.start()
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://bench", timeout=PATIENCE
    ) as http:
        yield send
    await app.stop()


async def measure(send: Send, workspace: Workspace, places: Sequence[UUID], each: int) -> str:
    """All send at once, each one message after the other."""
    took: list[float] = []
    given: dict[UUID, list[int]] = {place: [] for place in places}

    async def sender(number: int, who: Viewer) -> None:
        place = places[number % len(places)]
        for n in range(each):
            start = time.perf_counter()
            given[place].append(await send(who, place, f"message {n} of {number}"))
            took.append(time.perf_counter() - start)

    start = time.perf_counter()
    await asyncio.gather(*(sender(n, who) for n, who in enumerate(workspace.people)))
    seconds = time.perf_counter() - start
    await check(workspace.connection, given)
    percentiles = quantiles(took, n=100)
    rate = len(took) / seconds
    return f"{rate:8.0f} {percentiles[49] * 1000:8.0f} {percentiles[98] * 1000:8.0f}"


async def check(connection: Connection, given: dict[UUID, list[int]]) -> None:
    """Nothing is lost, and no place is left out or taken twice; the counters are right."""
    for place, sequences in given.items():
        row = await connection.fetchrow("SELECT * FROM conversations WHERE id = $1", place)
        said = await connection.fetch(
            "SELECT sequence, content FROM messages WHERE conversation_id = $1 ORDER BY 1", place
        )
        everyone = [*range(1, len(sequences) + 1)]
        assert row is not None
        assert sorted(sequences) == [message["sequence"] for message in said] == everyone
        assert row["message_count"] == row["last_sequence"] == row["version"] == len(said)
        assert set(Counter(message["content"] for message in said).values()) == {1}


async def run(socket: Path, options: argparse.Namespace) -> None:
    if options.fast:
        connection = await asyncpg.connect(user="postgres", database="postgres", host=str(socket))
        await connection.execute("ALTER SYSTEM SET fsync = off")
        await connection.execute("SELECT pg_reload_conf()")
        await connection.close()
    workspace = await open_workspace(socket, options.senders)
    print(f"{options.senders} senders of {options.each}, fsync {'off' if options.fast else 'on'}")
    print(f"{'':36} {'msgs/s':>8} {'p50 ms':>8} {'p99 ms':>8}")
    for name, way in (("send_message", by_rule), ("GraphQL", by_graphql)):
        async with way(workspace.url) as send:
            await measure(send, workspace, await workspace.places(1), 1)  # warms up
            for number in (1, PLACES):
                places = await workspace.places(number)
                line = await measure(send, workspace, places, options.each)
                print(f"{f'{name}, conversations: {number}':36} {line}", flush=True)
    await workspace.connection.close()
    if options.plan:
        await print_plan(socket)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--senders", type=int, default=200, help="at least 50")
    parser.add_argument("--each", type=int, default=10, help="messages of each sender")
    parser.add_argument("--fast", action="store_true", help="fsync off")
    parser.add_argument("--plan", action=argparse.BooleanOptionalAction, default=True)
    options = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="parley-benchmark-"))
    try:
        with running(directory / "postgres") as socket:
            asyncio.run(run(socket, options))
    finally:
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()

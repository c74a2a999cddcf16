"""What is measured on: workspaces of 40 people and 20,000 messages each.

Conversations have from 25 to 1,500 messages, said by turns by a person and the assistant, and lie
in the order of time, mixed, as in a live system. People take part in those that they own, and in
one of four others.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias
from uuid import UUID

import asyncpg

from ops.database import create_database
from ops.migrate import migrate

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

NAME = "benchmark"
MESSAGES_OF_TENANT, MESSAGES_OF_CONVERSATION, PEOPLE_OF_TENANT = 20_000, 50, 40
WRITTEN = 5
"""One of so many workspaces is written to, the others are read: what is read stays the same."""

# Twice, since a message is a piece of it that begins anywhere.
PARAGRAPH = 2 * (
    "Could you look at the failing import before the stand-up? It retries after 30 seconds, but the"
    " other side closes the connection at 25, so every second attempt is lost. Here is what I ran:"
    "\n\n```python\nprint('a\tb')\n```\n He said \"ship it\", then went on holiday; the path was"
    " C:\\temp\\new. Naïve café résumé, coöperation, Grüße, 東京 and a 🚀. Sure! First check the"
    " depth of the queue, then how far readers lag behind, and only then restart the worker.\n\n"
    "1. export the report\n2. compare the totals\n3. tell finance\n I think that the slowest went"
    " from 180 ms to 95 ms after the index was added on the conversation, the time and the key. "
)

FILL = f"""
SELECT setseed(0.5);
INSERT INTO tenants (id, slug, name)
    SELECT uuidv7(), 'bench-' || n, 'Bench ' || n FROM generate_series(1, {{tenants}}) AS n;
INSERT INTO users (id, username, email)
    SELECT uuidv7(), 'user-' || n, 'user-' || n || '@example.com'
    FROM generate_series(1, {{tenants}} * {PEOPLE_OF_TENANT}) AS n;
INSERT INTO memberships (tenant_id, id, user_id, role)
    SELECT t.id, uuidv7(), u.id, 'MEMBER'
    FROM (SELECT id, row_number() OVER (ORDER BY id) - 1 AS n FROM tenants) AS t
    JOIN (SELECT id, row_number() OVER (ORDER BY id) - 1 AS n FROM users) AS u
        ON u.n / {PEOPLE_OF_TENANT} = t.n;
INSERT INTO sessions (id, user_id, home_tenant_id, expires_at)
    SELECT uuidv7(), user_id, tenant_id, now() + interval '1 year' FROM memberships;

CREATE TEMP TABLE people AS
    SELECT tenant_id, user_id, row_number() OVER (PARTITION BY tenant_id ORDER BY user_id) AS n
    FROM memberships;
CREATE TEMP TABLE talks AS
    SELECT t.id AS tenant_id, uuidv7() AS id, g.n, p.user_id AS owner_id,
        now() - random() * interval '300 days' AS born,
        25 + ({{talks}} * 25 / (g.n * (ln({{talks}}::float8) + 0.577)))::int AS size
    FROM generate_series(1, {{talks}}) AS g (n), tenants t, people p
    WHERE p.tenant_id = t.id AND p.n = 1 + g.n % {PEOPLE_OF_TENANT};
INSERT INTO conversations (tenant_id, id, short_id, owner_id, title, message_count, last_sequence,
    version, created_at)
    SELECT tenant_id, id, 'talk-' || n, owner_id, 'Incident #' || n, size, size, size, born
    FROM talks ORDER BY born;
INSERT INTO participants (tenant_id, id, conversation_id, user_id)
    SELECT t.tenant_id, uuidv7(), t.id, p.user_id FROM talks t JOIN people p USING (tenant_id)
    WHERE p.user_id = t.owner_id OR random() < 0.25;
INSERT INTO messages (tenant_id, id, conversation_id, author_id, sequence, version, role, content,
    token_count, created_at, search)
    SELECT tenant_id, uuidv7(), id, author_id, nth, nth, role, content, length(content) / 4, at,
        to_tsvector('simple', content)
    FROM (
        SELECT t.tenant_id, t.id, nth, t.born + nth * interval '95 seconds' AS at,
            CASE WHEN nth % 2 = 1 THEN
                CASE WHEN random() < 0.8 THEN t.owner_id ELSE p.user_id END END AS author_id,
            CASE WHEN nth % 2 = 1 THEN 'USER' ELSE 'ASSISTANT' END AS role,
            substr($paragraph${PARAGRAPH}$paragraph$, 1 + (random() * 600)::int,
                50 + (random() * 550)::int) AS content
        FROM talks t CROSS JOIN LATERAL generate_series(1, t.size) AS nth
        JOIN people p ON p.tenant_id = t.tenant_id AND p.n = 1 + (t.n + nth) % {PEOPLE_OF_TENANT}
        ORDER BY at
    ) AS said;
UPDATE conversations c SET last_message_at = m.created_at, updated_at = m.created_at
    FROM messages m WHERE m.tenant_id = c.tenant_id AND m.conversation_id = c.id
    AND m.sequence = c.last_sequence;
"""
# Nothing but what is measured shall happen meanwhile.
QUIET = """
ALTER SYSTEM SET shared_buffers = '512MB';
ALTER SYSTEM SET max_wal_size = '8GB';
ALTER SYSTEM SET checkpoint_timeout = '1h';
ALTER SYSTEM SET random_page_cost = 1.1;
ALTER SYSTEM SET autovacuum = off
"""
SEARCH_INDEX = (
    "CREATE INDEX messages_search ON messages USING gin (tenant_id, search) WITH (fastupdate = off)"
)
TARGETS = """
    SELECT c.tenant_id, c.id AS conversation_id, c.owner_id AS user_id, s.id AS session_id
    FROM conversations c
    JOIN sessions s ON s.user_id = c.owner_id AND s.home_tenant_id = c.tenant_id
    WHERE c.message_count >= 50 AND c.tenant_id = ANY($1)
    ORDER BY md5(c.id::text) LIMIT 400
"""


@dataclass(frozen=True)
class Target:
    """Whom a request is made by, and of which conversation."""

    tenant_id: UUID
    conversation_id: UUID
    user_id: UUID
    session_id: UUID


async def connect(socket: Path) -> Connection:
    """As a superuser."""
    return await asyncpg.connect(user="postgres", database=NAME, host=str(socket))


async def fill(socket: Path, messages: int, announce: Callable[[str], None]) -> None:
    """Without triggers: they are not what is measured. The server must be started anew."""
    await create_database(socket, NAME)
    await migrate(f"postgresql://parley_owner@/{NAME}?host={socket}", lambda _: None)
    connection = await connect(socket)
    if not await connection.fetchval("SELECT count(*) FROM tenants"):
        tenants = max(2, messages // MESSAGES_OF_TENANT)
        talks = messages // tenants // MESSAGES_OF_CONVERSATION
        await connection.execute("SET session_replication_role = replica")
        await connection.execute("DROP INDEX messages_search; SET maintenance_work_mem = '1GB'")
        await connection.execute(FILL.format(tenants=tenants, talks=talks))
        await connection.execute(SEARCH_INDEX)
        await connection.execute("VACUUM (ANALYZE, FREEZE)")
        for setting in QUIET.split(";"):
            await connection.execute(setting)
    made = await connection.fetchrow(
        "SELECT (SELECT count(*) FROM tenants) AS t, (SELECT count(*) FROM messages) AS m"
    )
    assert made is not None
    announce(f"{made['m']:,} messages in {made['t']} workspaces")
    await connection.close()


async def targets(socket: Path) -> dict[str, list[Target]]:
    """By operation."""
    connection = await connect(socket)
    tenants = [row[0] for row in await connection.fetch("SELECT id FROM tenants ORDER BY id")]
    written = tenants[: max(1, len(tenants) // WRITTEN)]
    read = tenants[len(written) :]
    reads, sends = [
        [Target(**row) for row in await connection.fetch(TARGETS, among)]
        for among in (read, written)
    ]
    await connection.close()
    one_each = list({target.tenant_id: target for target in reads}.values())
    return {"inbox": one_each, "thread": reads, "deep": one_each, "send": sends}

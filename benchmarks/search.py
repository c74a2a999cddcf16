"""How long a search takes, of a million messages in 50 workspaces.

Run: .venv/bin/python -m benchmarks.search
"""

import asyncio
import shutil
import tempfile
import time
from pathlib import Path
from statistics import median, quantiles
from uuid import uuid4

import asyncpg

from core.viewer import TenantRole, Viewer
from ops.database import create_database
from ops.migrate import migrate
from ops.postgres import running
from resolvers.message_search import search_messages
from resolvers.paging import PageArguments
from tables.engine import DB

MESSAGES, TENANTS, TALKS, PEOPLE = 1_000_000, 50, 400, 20
RUNS = 40
IN_SOME, IN_FEW = 300, 5
"""In how many messages of a workspace a common word is, and a rare one, at most."""
SYLLABLES = "".join(c + v for c in "bcdfghjklmnprstvwxyz" for v in "aeiou")

# Words by rank, 200,000 of them: the n-th is used 1/n times as often as the first.
WORD = """
    CREATE FUNCTION pg_temp.word(k int) RETURNS text LANGUAGE sql IMMUTABLE AS $$
        SELECT substr('{syllables}', 1 + 2 * (k % 100), 2)
            || substr('{syllables}', 1 + 2 * (k / 100 % 100), 2)
            || substr('{syllables}', 1 + 2 * (k / 10000 % 100), 2)
    $$
"""
RANK = "(exp(random() * ln(200000))::bigint * 382519 % 1000003)::int"
PEOPLE_SQL = """
    INSERT INTO users (id, username)
        SELECT gen_random_uuid(), 'user' || n FROM generate_series(1, $1::int) AS n
"""
TENANTS_SQL = """
    INSERT INTO tenants (id, slug, name)
        SELECT gen_random_uuid(), 'bench' || n, 'Bench' FROM generate_series(1, $1::int) AS n
"""
MEMBERS_SQL = """
    INSERT INTO memberships (tenant_id, user_id, role)
        SELECT t.id, u.id, 'MEMBER' FROM tenants t, users u
"""
TALKS_SQL = """
    INSERT INTO conversations (tenant_id, id, short_id, title)
        SELECT t.id, uuidv7(), 'talk' || n, 'Talk' FROM tenants t, generate_series(1, $1::int) AS n
"""
# Everybody takes part in one of four.
PARTS_SQL = """
    INSERT INTO participants (tenant_id, conversation_id, user_id)
        SELECT c.tenant_id, c.id, m.user_id FROM conversations c
        JOIN memberships m ON m.tenant_id = c.tenant_id WHERE random() < 0.25
"""
# In the order of time, workspaces mixed.
MESSAGES_SQL = """
    INSERT INTO messages (tenant_id, conversation_id, id, sequence, version, role, content, search)
        SELECT c.tenant_id, c.id, uuidv7(), n, n, 'USER', content, to_tsvector('simple', content)
        FROM generate_series(1, $1::int) AS n, conversations c,
        LATERAL (SELECT string_agg(pg_temp.word({rank}), ' ') AS content
            FROM generate_series(1, 6 + (n + length(c.short_id)) % 17)) AS said
"""
COMMON = """
    SELECT w.word, w.ndoc FROM ts_stat(
        'SELECT search FROM messages WHERE tenant_id = (SELECT min(id::text)::uuid FROM tenants)'
    ) w ORDER BY w.ndoc DESC, w.word
"""


async def fill(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    """As a superuser, without triggers: they are not what is measured."""
    await connection.execute("SET session_replication_role = replica")
    await connection.execute("DROP INDEX messages_search; SET maintenance_work_mem = '1GB'")
    await connection.execute(WORD.format(syllables=SYLLABLES))
    for statement, number in (
        (PEOPLE_SQL, PEOPLE),
        (TENANTS_SQL, TENANTS),
        (MEMBERS_SQL, None),
        (TALKS_SQL, TALKS),
        (PARTS_SQL, None),
        (MESSAGES_SQL.format(rank=RANK), MESSAGES // TENANTS // TALKS),
    ):
        await connection.execute(statement, *([] if number is None else [number]))
    await connection.execute(
        "CREATE INDEX messages_search ON messages USING gin (tenant_id, search)"
        " WITH (fastupdate = off)"
    )
    await connection.execute("VACUUM ANALYZE")


async def queries(connection: "asyncpg.Connection[asyncpg.Record]") -> dict[str, str]:
    """By what is asked, with the number of messages of the workspace that have the word."""
    found = [(row[0], row[1]) for row in await connection.fetch(COMMON)]
    content = await connection.fetchval(
        "SELECT content FROM messages WHERE tenant_id = (SELECT min(id::text)::uuid FROM tenants)"
        " ORDER BY id DESC OFFSET 500 LIMIT 1"
    )
    said = content.split()
    common = next(one for one in found if one[1] < IN_SOME)
    rare = next(one for one in found if one[1] < IN_FEW)
    wrong = common[0][1] + common[0][0] + common[0][2:]
    return {
        f"very common ({found[0][1]})": found[0][0],
        f"second most common ({found[1][1]})": found[1][0],
        f"common ({common[1]})": common[0],
        f"rare ({rare[1]})": rare[0],
        "two words": f"{found[1][0]} {common[0]}",
        "two very common words": f"{found[0][0]} {found[1][0]}",
        "a phrase": f'"{said[0]} {said[1]}"',
        "a phrase of very common words": f'"{found[0][0]} {found[1][0]}"',
        "without a word": f"{common[0]} -{found[0][0]}",
        "a typo": wrong,
        "no match": "qqqqqqqqqqqq",
    }


async def measure(viewer: Viewer, query: str) -> tuple[float, float]:
    """Median and 95th percentile of the whole request to the database, in ms."""
    times = []
    for _ in range(RUNS):
        start = time.perf_counter()
        async with DB.tenant(viewer.tenant_id, read_only=True):
            await search_messages(viewer, query, PageArguments(first=20))
        times.append((time.perf_counter() - start) * 1000)
    return median(times), quantiles(times, n=20)[-1]


async def report(socket: Path, name: str) -> None:
    connection = await asyncpg.connect(user="postgres", database=name, host=str(socket))
    member = await connection.fetchrow(
        "SELECT tenant_id, user_id FROM memberships"
        " WHERE tenant_id = (SELECT min(id::text)::uuid FROM tenants) LIMIT 1"
    )
    assert member is not None
    await DB.open(f"postgresql://parley_app@/{name}?host={socket}", size=2)
    print(f"{'ms, median / p95':32} {'admin':>15} {'member':>15}")
    for what, query in (await queries(connection)).items():
        line = f"{what:32}"
        for role in (TenantRole.OWNER, TenantRole.MEMBER):
            times = await measure(
                Viewer(member["user_id"], uuid4(), member["tenant_id"], role), query
            )
            line += f" {times[0]:6.1f} / {times[1]:6.1f}"
        print(line, flush=True)
    await DB.close()
    await connection.close()


async def run(socket: Path) -> None:
    await create_database(socket, "benchmark")
    await migrate(f"postgresql://parley_owner@/benchmark?host={socket}", print)
    connection = await asyncpg.connect(user="postgres", database="benchmark", host=str(socket))
    start = time.perf_counter()
    await fill(connection)
    print(f"{MESSAGES} messages made in {time.perf_counter() - start:.0f} s")
    await connection.close()
    await report(socket, "benchmark")


def main() -> None:
    directory = Path(tempfile.mkdtemp(prefix="parley-benchmark-"))
    try:
        with running(directory / "postgres") as socket:
            asyncio.run(run(socket))
    finally:
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()

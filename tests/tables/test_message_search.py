"""No search reads a workspace, and none reads another one."""

from uuid import UUID, uuid4

import asyncpg
import pytest

from tables.engine import DB, Row
from tests.conftest import Database
from tests.graph import Cast
from tests.tables.plans import vacuum

MESSAGES = 20_000
FILL = """
    INSERT INTO messages (tenant_id, conversation_id, sequence, version, role, content)
    SELECT $1, $2, n, n, 'USER', CASE WHEN n % 4000 = 3999 THEN 'rareword ' ELSE '' END
        || CASE WHEN n % 10 = 0 THEN '' ELSE 'often ' END || 'w' || n % 500
      FROM generate_series(1, $3::int) AS n
"""
SEARCH = "SELECT * FROM search_messages($1, $2, NULL, $3)"


@pytest.fixture
async def cast(db: Database) -> Cast:
    connection = await db.connect()
    cast = Cast(connection)
    person = await cast.person("bob")
    for slug in ("acme", "globex"):
        tenant = await cast.tenant(slug)
        await cast.member(tenant, person.id)
        talk = await cast.conversation(tenant, person.id)
        await connection.execute(FILL, tenant, talk, MESSAGES)
    await vacuum(connection)
    return cast


async def _tenant(cast: Cast, slug: str) -> UUID:
    id: UUID = await cast.connection.fetchval("SELECT id FROM tenants WHERE slug = $1", slug)
    return id


@pytest.mark.parametrize(
    ("query", "matches", "blocks"),
    [
        ("rareword", 5, 200),
        ("rareword w499", 5, 200),
        ('"rareword often"', 5, 200),
        ("w12", 40, 400),
        ("often", 1_000, 4_000),
        ("rarewrod", 5, 4_000),
        ("elephant", 0, 4_000),
    ],
)
async def test_a_search_reads_what_it_finds(
    cast: Cast, query: str, matches: int, blocks: int
) -> None:
    tenant, person = await _tenant(cast, "acme"), cast.people["bob"]
    async with DB.tenant(tenant):
        for member in (None, person.id):
            values = (tenant, member, query)
            assert len(await DB.fetch(Row, SEARCH, *values)) == matches
            await DB.fetch(Row, f"EXPLAIN (ANALYZE, BUFFERS) {SEARCH}", *values)
            plan = await DB.fetch(Row, f"EXPLAIN (ANALYZE, BUFFERS) {SEARCH}", *values)
            assert _blocks(plan) < blocks, (plan, _blocks(plan))


def _blocks(plan: list[Row]) -> int:
    text = "\n".join(line[0] for line in plan)
    return int(text.split("shared hit=")[1].split(maxsplit=1)[0])


async def test_another_workspace_is_refused(cast: Cast) -> None:
    acme, globex = await _tenant(cast, "acme"), await _tenant(cast, "globex")
    for tenant in (globex, uuid4(), None):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with DB.tenant(acme):
                await DB.fetch(Row, SEARCH, tenant, None, "often")


@pytest.mark.parametrize("role", ["parley_auth", "parley_app"])
async def test_only_the_tenant_role_may_search(db: Database, role: str) -> None:
    connection = await db.connect("postgres")
    await connection.execute(f"SET ROLE {role}")
    with pytest.raises(asyncpg.SyntaxOrAccessError):  # parley_app does not even find it
        await connection.fetch(SEARCH, uuid4(), None, "often")
    await connection.close()


async def test_content_of_any_kind_can_be_kept(db: Database) -> None:
    """A vector has at most 1 MB, a word in it 2 kB."""
    connection = await db.connect()
    cast = Cast(connection)
    tenant = await cast.tenant("acme")
    person = await cast.person("bob")
    await cast.member(tenant, person.id)
    talk = await cast.conversation(tenant, person.id)
    for content in (
        "x" * 100_000,
        " ".join(chr(0x20000 + n) for n in range(50_000)),
        "-".join(f"a{n}" for n in range(17_000)),
        "/".join(f"a{n}.de" for n in range(11_000)),
        "😀" * 100_000,
        "\x01\x02\x03" * 1000,
    ):
        await cast.message(tenant, talk, person.id, content=content[:100_000])
    await connection.close()

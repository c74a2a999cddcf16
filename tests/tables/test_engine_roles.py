"""The two roles of a scope, the login that reaches them, and logins that must not serve."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from tables.engine import DB, Row, UnsafeLogin
from tests.conftest import Database
from tests.tables.conftest import Tenants
from tests.tables.world import pool_is_whole

WHO = "SELECT current_user::text AS name"
IDENTITY_TABLES = {"users", "sessions", "refresh_tokens", "cache_invalidations"}
SHARED_TABLES = {"tenants", "memberships"}


async def _relations(database: Database) -> list[str]:
    owner = await database.connect()
    rows = await owner.fetch(
        "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'm', 'f')"
        " AND relnamespace = 'public'::regnamespace ORDER BY relname"
    )
    await owner.close()
    return [row["relname"] for row in rows]


async def test_the_role_is_back_after_an_identity_statement(db: Database, tenants: Tenants) -> None:
    async with DB.tenant(tenants.acme.tenant_id):
        people = await DB.fetch_identity(Row, "SELECT username FROM users ORDER BY username")
        assert [row.username for row in people] == ["ada", "bob"]
        assert (await DB.fetch_identity(Row, WHO))[0].name == "parley_auth"
        assert (await DB.fetch(Row, WHO))[0].name == "parley_tenant"
        assert len(await DB.fetch(Row, "SELECT * FROM messages")) == 2


async def test_gathered_statements_keep_their_roles(db: Database, tenants: Tenants) -> None:
    async with DB.tenant(tenants.acme.tenant_id, read_only=True):
        answers = await asyncio.gather(
            *((DB.fetch_identity if n % 2 else DB.fetch)(Row, WHO) for n in range(40))
        )
    assert [rows[0].name for rows in answers] == ["parley_tenant", "parley_auth"] * 20


async def _fails_in_the_server() -> None:
    with pytest.raises(asyncpg.UndefinedTableError):
        await DB.fetch_identity(Row, "SELECT * FROM nothing")


async def _fails_in_the_client() -> None:
    with pytest.raises(asyncpg.DataError):  # the transaction is healthy, its role is not
        await DB.fetch_identity(Row, "SELECT $1::int", "not a number")


async def _is_cancelled() -> None:
    task = asyncio.create_task(DB.fetch_identity(Row, "SELECT pg_sleep(60)"))
    await asyncio.sleep(0.1)
    task.cancel()
    await asyncio.wait([task])


@pytest.mark.parametrize("fail", [_fails_in_the_server, _fails_in_the_client, _is_cancelled])
async def test_nothing_runs_or_commits_in_the_wrong_role(
    db: Database, tenants: Tenants, fail: type
) -> None:
    with pytest.raises(asyncpg.InFailedSQLTransactionError):
        async with DB.tenant(tenants.acme.tenant_id):
            await DB.execute("UPDATE messages SET content = 'lost'")
            await fail()
            for query in (DB.fetch, DB.fetch_identity):
                with pytest.raises(asyncpg.InFailedSQLTransactionError):
                    await query(Row, "SELECT 1")
    async with DB.tenant(tenants.acme.tenant_id):
        assert await DB.fetch(Row, "SELECT 1 FROM messages WHERE content = 'lost'") == []
        assert (await DB.fetch(Row, WHO))[0].name == "parley_tenant"
    assert await pool_is_whole(db)


async def test_what_tenants_wrote_is_out_of_reach_of_identity(
    db: Database, tenants: Tenants
) -> None:
    for relation in set(await _relations(db)) - IDENTITY_TABLES - SHARED_TABLES:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with DB.identity():
                await DB.execute(f"SELECT 1 FROM {relation}")


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT settings FROM tenants",
        "SELECT * FROM tenants",
        "SELECT 1 FROM audit_events",
        "UPDATE audit_events SET action = ''",
        "DELETE FROM audit_events",
        "UPDATE memberships SET role = 'OWNER'",
        "UPDATE memberships SET is_active = true",
        "DELETE FROM memberships",
        "UPDATE tenants SET name = 'x'",
        "UPDATE users SET is_superuser = true",
        "UPDATE users SET is_active = true",
        "UPDATE users SET username = 'x'",
        "INSERT INTO users (username, is_superuser) VALUES ('x', true)",
        "DELETE FROM users",
        "UPDATE sessions SET user_id = uuidv7()",
        "DELETE FROM sessions",
        "UPDATE refresh_tokens SET token_hash = ''",
        "INSERT INTO cache_invalidations (key) VALUES ('x')",
        "SELECT invalidate('x')",
    ],
)
async def test_identity_may_do_no_more_than_it_needs(
    db: Database, tenants: Tenants, statement: str
) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with DB.identity():
            await DB.execute(statement)


async def test_identity_is_out_of_reach_of_tenants(db: Database, tenants: Tenants) -> None:
    for relation in IDENTITY_TABLES | {"migration"}:
        for statement in ("SELECT 1 FROM {}", "DELETE FROM {}", "INSERT INTO {} DEFAULT VALUES"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                async with DB.tenant(tenants.acme.tenant_id):
                    await DB.execute(statement.format(relation))


async def test_the_login_has_no_right_of_its_own(database: Database, tenants: Tenants) -> None:
    login = await database.connect("parley_app")
    for relation in await _relations(database):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await login.execute(f"SELECT 1 FROM public.{relation}")
    for role in ("parley_owner", "parley_search", "postgres"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await login.execute(f"SET ROLE {role}")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await login.execute("CREATE TABLE public.mine (n int)")
    await login.close()


async def test_a_role_without_a_tenant_sees_nothing(database: Database, tenants: Tenants) -> None:
    login = await database.connect("parley_app")
    await login.execute("SET ROLE parley_tenant")
    for tenant in (None, "", str(tenants.acme.conversation_id)):
        if tenant is not None:
            await login.execute(f"SET app.tenant_id = '{tenant}'")
        for relation in ("tenants", "messages", "tenant_users", "audit_events"):
            assert await login.fetch(f"SELECT * FROM {relation}") == []
    await login.close()


@pytest.fixture
async def logins(database: Database) -> AsyncIterator[Database]:
    admin = await database.connect("postgres")
    await admin.execute("""
        CREATE ROLE t_superuser LOGIN SUPERUSER;
        CREATE ROLE t_bypass LOGIN BYPASSRLS;
        CREATE ROLE t_member LOGIN NOINHERIT;
        CREATE ROLE t_member_of_member LOGIN NOINHERIT;
        CREATE ROLE t_safe LOGIN NOINHERIT;
        GRANT t_bypass TO t_member;
        GRANT t_member TO t_member_of_member;
        GRANT parley_tenant, parley_auth TO t_safe;
    """)
    yield database
    await DB.close(timeout=2)
    await admin.execute("DROP ROLE t_superuser, t_bypass, t_member, t_member_of_member, t_safe")
    await admin.close()


@pytest.mark.parametrize(
    ("login", "through"),
    {
        "t_superuser": "t_superuser",
        "t_bypass": "t_bypass",
        "t_member": "t_bypass",
        "t_member_of_member": "t_bypass",
        "parley_owner": "parley_owner",
    }.items(),
)
async def test_a_login_that_could_see_every_tenant_is_refused(
    logins: Database, login: str, through: str
) -> None:
    await DB.open(logins.url(login), size=1)
    with pytest.raises(UnsafeLogin, match=f"'{login}' is, or may become, '{through}'"):
        await DB.refuse_unsafe_login()


@pytest.mark.parametrize("login", ["parley_app", "t_safe"])
async def test_a_login_that_cannot_is_not_refused(logins: Database, login: str) -> None:
    await DB.open(logins.url(login), size=1)
    await DB.refuse_unsafe_login()

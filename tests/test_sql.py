"""Every statement says which tenant's rows it means, and reaches them through its scope.

Row-level security holds without it. With it, an index is used, one shard is asked, and two things
must break before a row is shown to the wrong people.
"""

import ast

import pytest
from piccolo.table import Table

import tables
from tests.planted_sql import FENCED, OF_NOBODY, OF_SOMEBODY, UNFENCED
from tests.sql_fences import of_nobody, unfenced
from tests.sql_reading import Module, modules

TENANT_TABLES = {
    table._meta.tablename
    for table in vars(tables).values()
    if isinstance(table, type) and issubclass(table, Table) and hasattr(table, "tenant_id")
} | {"tenant_users", "tenants"}

PEOPLE_TABLES = {"users", "sessions", "refresh_tokens", "cache_invalidations"}

# What reads across workspaces, and why.
ACROSS = {
    "resolvers.authentication: module._read": "finds out which workspace; of one person",
    "resolvers.authentication: module.warm_up": "each session in its own workspace",
    "resolvers.session_opening: module._home": "finds out which workspace; of one person",
    "resolvers.tenant_management: module._insert": "makes the workspace",
    "resolvers.tenant: module.own_tenants_by_id": "workspaces of one person",
    "resolvers.membership: module.own_memberships": "memberships of one person",
}
# What finds out which person, and what is of no person's.
OF_NO_PERSON = {
    "SELECT u.id, u.is_active, u.password_hash FROM users u WHERE": "by name, to verify a password",
    "SELECT u.id FROM users u WHERE u.username = $1 AND u.is_active": "by name, to become a member",
    "SELECT EXISTS (SELECT FROM users u WHERE u.username = $1)": "whether a name is taken",
    "INSERT INTO users (username,": "makes the person",
    "INSERT INTO sessions (user_id,": "makes the session, of one person",
    "INSERT INTO refresh_tokens (": "of the session that was just made, or locked",
    "SELECT r.session_id FROM refresh_tokens r WHERE r.token_hash = $1": "by a secret",
    "SELECT r.id, r.session_id, s.user_id, s.home_tenant_id, child.id": "by a secret",
    "SELECT FROM sessions s WHERE s.id = $1 FOR NO KEY UPDATE": "of a token that was shown",
    "UPDATE refresh_tokens SET used_at = now() WHERE id = $1": "of a token that was shown",
    "DELETE FROM refresh_tokens WHERE session_id = $1": "of a token that was shown",
    "UPDATE sessions SET expires_at = $2 WHERE id = $1": "of a token that was shown",
    "UPDATE sessions SET revoked_at = now() WHERE id = $1": "of a token that was shown",
    "UPDATE sessions s SET last_activity_at = used.at": "of all who were here",
    "SELECT s.id AS session_id, s.user_id,": "warms the cache up",
    "SELECT s.id, s.user_id FROM sessions s JOIN users u": "of all who listen",
    "SELECT pg_snapshot_xmin(": "keys of entries that are no longer true",
    "DELETE FROM cache_invalidations WHERE transaction_id": "keys that nobody needs",
}
# Statements of commands, which are the owner's, of any workspace.
COMMANDS = {
    "INSERT INTO tenants (slug, name) VALUES ($1, $2) RETURNING id": "makes the workspace",
    "INSERT INTO tenants (slug, name, settings) VALUES ($1, $2, $3) ON CONFLICT": "makes it",
    "SELECT id FROM tenants WHERE slug = $1": "finds out which workspace",
    "SELECT u.id AS user_id, t.id AS tenant_id FROM users u": "whose token is minted, by name",
}
QUERIES = {"select", "objects", "insert", "update", "delete", "raw", "count", "exists", "save"}
QUERIES |= {"get", "get_or_create", "alter", "create_table", "refresh", "remove", "update_self"}
CONNECTIONS = {"connect", "create_pool", "pool", "running_pool", "get_new_connection", "acquire"}


def findings(module: Module) -> list[str]:
    return [
        f"{module.name}: {owner}"
        for owner, sql in module.statements()
        if unfenced(sql, TENANT_TABLES)
    ]


def piccolo_queries(module: Module) -> list[str]:
    """Piccolo's own queries say nothing of the tenant."""
    imported = {
        alias.asname or alias.name
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "tables"
        for alias in node.names
    }
    return [
        f"{node.value.id}.{node.attr}"
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id in imported - {"DB"}
        and node.attr in QUERIES
    ]


def connections(module: Module) -> list[str]:
    return [
        node.attr
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Attribute) and node.attr in CONNECTIONS
    ]


def test_tenant_tables_are_those_with_a_tenant() -> None:
    assert {"conversations", "participants", "messages", "message_documents"} <= TENANT_TABLES
    assert {"documents", "memberships", "audit_events"} <= TENANT_TABLES
    assert not TENANT_TABLES & PEOPLE_TABLES


def test_every_statement_names_its_tenant() -> None:
    found = [finding for module in modules("resolvers", "tables") for finding in findings(module)]
    assert sorted(set(found)) == sorted(ACROSS)


def test_every_statement_of_a_command_names_its_tenant() -> None:
    found = {
        sql
        for module in modules("ops")
        for _, sql in module.statements()
        if unfenced(sql, TENANT_TABLES)
    }
    assert {sql for sql in found if not sql.startswith(tuple(COMMANDS))} == set()
    assert [start for start in COMMANDS if not any(sql.startswith(start) for sql in found)] == []


def test_every_statement_outside_of_a_tenant_is_of_one_person() -> None:
    asked = [sql for module in modules("resolvers") for sql in module.identity_statements()]
    assert len(asked) > 5
    for module in modules("resolvers"):  # whatever scope it runs in
        asked += [sql for _, sql in module.statements() if unfenced(sql, PEOPLE_TABLES)]
    found = {sql for sql in asked if of_nobody(sql)}
    assert {sql for sql in found if not sql.startswith(tuple(OF_NO_PERSON))} == set()
    assert [start for start in OF_NO_PERSON if not any(s.startswith(start) for s in found)] == []


def test_statements_are_found() -> None:
    """None of the folders has moved away from under the test above."""
    statements = [
        sql for module in modules("resolvers") for _, sql in module.statements() if "FROM " in sql
    ]
    assert len(statements) > 20


@pytest.mark.parametrize("module", modules("resolvers", "schema", "server"), ids=lambda m: m.name)
def test_nothing_else_queries(module: Module) -> None:
    assert piccolo_queries(module) == []
    assert connections(module) == []


@pytest.mark.parametrize("code", UNFENCED)
def test_what_it_would_find(code: str) -> None:
    assert findings(Module("planted", ast.parse(code)))


@pytest.mark.parametrize("code", FENCED)
def test_what_it_lets_pass(code: str) -> None:
    assert findings(Module("planted", ast.parse(code))) == []


@pytest.mark.parametrize("code", OF_NOBODY)
def test_what_it_would_find_outside_of_a_tenant(code: str) -> None:
    module = Module("planted", ast.parse(f"async def f():\n{_indented(code)}"))
    assert any(map(of_nobody, module.identity_statements()))


@pytest.mark.parametrize("code", OF_SOMEBODY)
def test_what_it_lets_pass_outside_of_a_tenant(code: str) -> None:
    module = Module("planted", ast.parse(f"async def f():\n{_indented(code)}"))
    assert not any(map(of_nobody, module.identity_statements()))


@pytest.mark.parametrize(
    "code",
    [
        "from tables import Message\nawait Message.select()",
        "from tables.message import Message as M\nawait M.objects().where(M.id == id)",
        "from tables import Tenant\nTenant.insert(Tenant())",
        "import asyncpg\nasyncpg.connect(url)",
        "from tables.engine import DB\nasync with DB.pool.acquire() as c: ...",
        "from tables.engine import DB\nDB.running_pool()",
    ],
)
def test_what_else_it_would_find(code: str) -> None:
    planted = ast.parse(f"async def f():\n{_indented(code)}")
    module = Module("planted", planted)
    assert piccolo_queries(module) or connections(module)


def _indented(code: str) -> str:
    return "\n".join(f"    {line}" for line in code.splitlines())

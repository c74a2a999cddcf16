"""Every statement says which tenant's rows it means, and reaches them through its scope.

Row-level security holds without it. With it, an index is used, one shard is asked, and two things
must break before a row is shown to the wrong people.
"""

import ast

import pytest
from piccolo.table import Table

import tables
from tests.sql_reading import Module, modules, unfenced

TENANT_TABLES = {
    table._meta.tablename
    for table in vars(tables).values()
    if isinstance(table, type) and issubclass(table, Table) and hasattr(table, "tenant_id")
} | {"tenant_users", "tenants"}

# What reads across workspaces, and why.
ACROSS = {
    "resolvers.session: module.authenticate": "finds out which workspace; of one person",
    "resolvers.tenant: module.own_tenants_by_id": "workspaces of one person",
    "resolvers.membership: module.own_memberships": "memberships of one person",
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
    assert not TENANT_TABLES & {"users", "sessions", "refresh_tokens"}


def test_every_statement_names_its_tenant() -> None:
    found = [finding for module in modules("resolvers", "tables") for finding in findings(module)]
    assert sorted(set(found)) == sorted(ACROSS)


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


JOINED = '"SELECT 1 FROM messages m JOIN conversations c ON {} WHERE m.tenant_id = $1"'


@pytest.mark.parametrize(
    "code",
    [
        'await DB.fetch(Row, "SELECT * FROM messages")',
        'await DB.fetch(Row, "SELECT * FROM messages WHERE id = $1")',
        'await DB.fetch(Row, "SELECT * FROM messages m WHERE m.tenant_id = $2")',
        'await DB.fetch(Row, "SELECT * FROM messages m WHERE m.tenant_id = $10")',
        'await DB.fetch(Row, "SELECT * FROM messages m WHERE c.tenant_id = $1")',
        'await DB.fetch(Row, "SELECT * FROM messages AS m WHERE tenant_id = $1")',
        'await DB.fetch(Row, "SELECT * FROM tenants t WHERE t.slug = $1")',
        'await DB.fetch(Row, "SELECT * FROM tenant_users u WHERE u.id = $1")',
        'await DB.execute("DELETE FROM documents WHERE id = $1")',
        'await DB.execute("UPDATE documents SET size = 0 WHERE id = $1")',
        'await DB.execute("INSERT INTO documents (id, tenant_id) VALUES ($1, $2)")',
        'await DB.execute("INSERT INTO documents (tenant_id, id) VALUES ($2, $1)")',
        'x = "SELECT 1 FROM messages m, documents d WHERE m.tenant_id = $1"',
        'x = f"SELECT {COLUMNS}" + " FROM messages m"',
        'x = f"SELECT 1 FROM messages m {unknown}"',
        'def f(table):\n    return f"SELECT 1 FROM {table}"',
        'def f():\n    return f"SELECT 1 FROM {COLUMNS} JOIN participants p ON p.id = $1"',
        f"x = {JOINED.format('c.id = m.conversation_id')}",
        f"x = {JOINED.format('c.tenant_id = m.tenant_id')}",
        'x = "... WHERE EXISTS (SELECT FROM participants p WHERE p.conversation_id = c.id)"',
    ],
)
def test_what_it_would_find(code: str) -> None:
    assert findings(Module("planted", ast.parse(code)))


@pytest.mark.parametrize(
    "code",
    [
        'x = "SELECT * FROM messages WHERE tenant_id = $1"',
        'x = "SELECT * FROM messages m WHERE m.tenant_id = $1"',
        'x = "SELECT * FROM tenants t WHERE t.id = $1"',
        'x = "SELECT * FROM users u WHERE u.id = $1"',
        'x = "INSERT INTO documents (tenant_id, id) VALUES ($1, $2)"',
        'x = "INSERT INTO documents (tenant_id, id) SELECT $1, id FROM unnest($2) AS id"',
        'W = "WHERE m.tenant_id = $1"\nx = f"SELECT 1 FROM messages m {W}"',
        'def w(v):\n    return f"WHERE m.tenant_id = $1"\nx = f"SELECT 1 FROM messages m {w(1)}"',
        f"x = {JOINED.format('c.tenant_id = $1 AND c.id = m.conversation_id')}",
        '"""Reads rows FROM messages."""',
    ],
)
def test_what_it_lets_pass(code: str) -> None:
    assert findings(Module("planted", ast.parse(code))) == []


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

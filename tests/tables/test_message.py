"""Messages are found by their keys, however many others the viewer may see."""

from itertools import product
from uuid import UUID, uuid4

import asyncpg
import pytest

from core.viewer import TenantRole, Viewer
from resolvers.message import messages_by_id
from tables.engine import DB
from tests.conftest import Database
from tests.tables.plans import MODES, blocks, plan, sent, vacuum

# Fifty workspaces of ten people, who take part in all of the forty conversations of theirs.
FILL = """
    INSERT INTO tenants (slug, name) SELECT 'acme-' || n, 'Acme' FROM generate_series(1, 50) AS n;
    INSERT INTO users (username) SELECT t.slug || '-' || n FROM tenants t, generate_series(1, 10) n;
    INSERT INTO memberships (tenant_id, user_id, role)
        SELECT t.id, u.id, 'MEMBER' FROM tenants t JOIN users u ON u.username LIKE t.slug || '-%';
    INSERT INTO conversations (tenant_id, short_id, title, last_sequence, message_count)
        SELECT t.id, n::text, 'Talk', 30, 30 FROM tenants t, generate_series(1, 40) AS n;
    INSERT INTO participants (tenant_id, conversation_id, user_id)
        SELECT tenant_id, c.id, m.user_id
        FROM conversations c JOIN memberships m USING (tenant_id);
    SET session_replication_role = replica;
    INSERT INTO messages (tenant_id, conversation_id, sequence, version, role, content)
        SELECT tenant_id, id, n, n, 'SYSTEM', 'Hello'
        FROM conversations, generate_series(1, 30) AS n ORDER BY n
"""
MOST = 100
"""Blocks, for three messages; what the viewer sees is in hundreds."""


@pytest.fixture
async def connection(db: Database) -> "asyncpg.Connection[asyncpg.Record]":
    return await asyncpg.connect(user="postgres", database=db.name, host=str(db.socket))


@pytest.fixture
async def viewer(connection: "asyncpg.Connection[asyncpg.Record]") -> Viewer:
    await connection.execute(FILL)
    await vacuum(connection)
    row = await connection.fetchrow("SELECT tenant_id, user_id FROM memberships LIMIT 1")
    assert row is not None
    return Viewer(row["user_id"], uuid4(), row["tenant_id"], TenantRole.MEMBER)


async def test_a_message_is_found_by_its_key(
    connection: "asyncpg.Connection[asyncpg.Record]",
    viewer: Viewer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows = await connection.fetch(
        "SELECT id FROM messages WHERE tenant_id = $1 LIMIT 3", viewer.tenant_id
    )
    await connection.close()
    ids: list[UUID] = [row["id"] for row in rows]
    statements = sent(monkeypatch)
    async with DB.tenant(viewer.tenant_id):
        assert all(await messages_by_id(viewer, ids))
        for (statement, values), mode in product(list(statements), MODES):
            found = await plan(statement, values, mode)
            assert blocks(found) < MOST, found

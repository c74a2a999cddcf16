"""A page of conversations is no scan of the workspace, however unequal people and workspaces."""

from uuid import uuid4

import asyncpg
import pytest

from core.viewer import TenantRole, Viewer
from resolvers.conversation import ConversationOrder
from resolvers.conversation_list import ConversationFilter, list_conversations
from resolvers.message import last_messages_by_conversation
from resolvers.paging import PageArguments
from tables.engine import DB
from tests.conftest import Database
from tests.tables.plans import AS_IT_IS, blocks, plan, sent, vacuum

# Forty workspaces of twenty conversations, and one of ten thousand, in all of which somebody takes
# part; others do in half of them, in 250, and in ten.
FILL = """
    INSERT INTO tenants (slug, name) SELECT 'acme-' || n, 'Acme' FROM generate_series(0, 40) AS n;
    INSERT INTO users (username) VALUES ('busy'), ('rare'), ('some'), ('half');
    INSERT INTO users (username) SELECT 'user-' || n FROM generate_series(1, 1000) AS n;
    INSERT INTO conversations (tenant_id, short_id, title, created_at)
        SELECT t.id, n::text, 'Talk ' || n, now() - n * interval '1 minute' FROM tenants t,
        generate_series(1, CASE t.slug WHEN 'acme-0' THEN 10000 ELSE 20 END) AS n;
    SET session_replication_role = replica;
    INSERT INTO participants (tenant_id, conversation_id, user_id)
        SELECT c.tenant_id, c.id, u.id FROM conversations c JOIN users u ON u.username = 'busy'
        OR u.username = 'rare' AND c.short_id::int > 9990
        OR u.username = 'some' AND c.short_id::int % 40 = 0
        OR u.username = 'half' AND c.short_id::int % 2 = 0
        OR u.username = 'user-' || c.short_id::int % 1000;
    INSERT INTO messages (tenant_id, conversation_id, sequence, version, role, content)
        SELECT tenant_id, id, n, n, 'SYSTEM', 'Hello'
        FROM conversations, generate_series(1, 5) AS n ORDER BY n
"""
MOST = 400
"""Blocks, for a page of twenty, with what is looked up for each; to walk the whole
workspace looks at thousands."""


@pytest.fixture
async def viewers(db: Database) -> list[Viewer]:
    connection = await asyncpg.connect(user="postgres", database=db.name, host=str(db.socket))
    await connection.execute(FILL)
    await vacuum(connection)
    tenant = await connection.fetchval("SELECT id FROM tenants WHERE slug = 'acme-0'")
    rare, *others = [
        await connection.fetchval("SELECT id FROM users WHERE username = $1", name)
        for name in ("rare", "some", "half", "busy")
    ]
    await connection.execute("UPDATE conversations SET owner_id = $1 WHERE short_id = '77'", rare)
    await connection.close()
    members = [Viewer(user, uuid4(), tenant, TenantRole.MEMBER) for user in (rare, *others)]
    return [*members, Viewer(rare, uuid4(), tenant, TenantRole.OWNER)]


async def test_as_the_server_asks(viewers: list[Viewer], monkeypatch: pytest.MonkeyPatch) -> None:
    statements = sent(monkeypatch)
    rare, first, last = viewers[0].user_id, PageArguments(first=20), PageArguments(last=20)
    for viewer in viewers:
        statements.clear()
        async with DB.tenant(viewer.tenant_id):
            for order in ConversationOrder:
                page = await list_conversations(viewer, first, order)
                after = PageArguments(first=20, after=page.end_cursor)
                await list_conversations(viewer, after, order)
                page = await list_conversations(viewer, last, order)
            for wanted in (
                ConversationFilter(participant_id=rare),
                ConversationFilter(owner_id=rare),
                ConversationFilter(has_unread=False),
            ):
                await list_conversations(viewer, first, wanted=wanted)
            await last_messages_by_conversation(viewer, [row.id for row in page.nodes])
            for statement, values in list(statements):
                found = await plan(statement, values, AS_IT_IS)
                assert "Seq Scan" not in found, found
                assert blocks(found) < MOST, found


async def test_few_are_counted_by_key(
    viewers: list[Viewer], monkeypatch: pytest.MonkeyPatch
) -> None:
    statements = sent(monkeypatch)
    rare = viewers[0]
    async with DB.tenant(rare.tenant_id):
        page = await list_conversations(rare, PageArguments(first=1))
        assert page.count is not None
        assert await page.count() == 10
        statement, values = statements[-1]
        found = await plan(statement, values, AS_IT_IS)
        assert blocks(found) < MOST, found

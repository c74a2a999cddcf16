"""In a giant workspace among hundreds of small ones, what is looked up by key is: one plan for all
of them takes its workspace to be small, and would read all of it."""

from uuid import UUID, uuid4

import asyncpg
import pytest

from core.viewer import TenantRole, Viewer
from resolvers.conversation import conversations_by_id
from resolvers.conversation_list import (
    ConversationFilter,
    conversation_counts_by_user,
    conversations_by_user,
    list_conversations,
)
from resolvers.document import contents_by_document, documents_by_id, documents_by_message
from resolvers.lookahead import Ahead, Link
from resolvers.membership import memberships_by_user
from resolvers.message import (
    last_messages_by_conversation,
    messages_by_conversation,
    messages_by_document,
    messages_by_id,
)
from resolvers.message_search import search_messages
from resolvers.message_sending import send_message
from resolvers.paging import Page, PageArguments
from resolvers.user import participants_by_conversation, users_by_id
from tables.engine import DB
from tests.conftest import Database
from tests.tables.plans import AS_IT_IS, blocks, plan, sent, vacuum

FILL = """
    SET session_replication_role = replica;
    INSERT INTO tenants (slug, name) SELECT 'acme-' || n, 'Acme' FROM generate_series(0, 500) AS n;
    INSERT INTO users (username) SELECT 'user-' || n FROM generate_series(1, 6000) AS n;
    INSERT INTO memberships (tenant_id, user_id, role)
        SELECT t.id, u.id, 'MEMBER' FROM tenants t JOIN users u ON CASE t.slug WHEN 'acme-0'
        THEN substr(u.username, 6)::int <= 5000
        ELSE substr(u.username, 6)::int % 500 = substr(t.slug, 6)::int - 1 END;
    INSERT INTO conversations (tenant_id, short_id, title, last_sequence, message_count)
        SELECT t.id, n::text, 'Talk', 1, 1
        FROM tenants t, generate_series(1, CASE t.slug WHEN 'acme-0' THEN 5000 ELSE 5 END) AS n;
    INSERT INTO participants (tenant_id, conversation_id, user_id)
        SELECT c.tenant_id, c.id, m.user_id FROM conversations c JOIN LATERAL (
            SELECT * FROM memberships m WHERE m.tenant_id = c.tenant_id LIMIT 2) AS m ON true;
    INSERT INTO participants (tenant_id, conversation_id, user_id)
        SELECT c.tenant_id, c.id, u.id FROM conversations c JOIN users u
        ON u.username IN ('user-4999', 'user-5000') WHERE c.short_id::int % 20 = 7
        AND c.tenant_id = (SELECT id FROM tenants WHERE slug = 'acme-0');
    INSERT INTO messages (tenant_id, conversation_id, sequence, version, role, content, search)
        SELECT tenant_id, id, 1, 0, 'SYSTEM', 'Hello', to_tsvector('simple', short_id)
        FROM conversations;
    INSERT INTO documents (tenant_id, filename, content_type, content)
        SELECT tenant_id, 'notes.md', 'text/markdown', 'notes' FROM conversations;
    INSERT INTO message_documents (tenant_id, message_id, document_id, position)
        SELECT tenant_id, m.id, d.id, 0 FROM
        (SELECT *, row_number() OVER (PARTITION BY tenant_id) AS n FROM messages) AS m JOIN
        (SELECT *, row_number() OVER (PARTITION BY tenant_id) AS n FROM documents) AS d
        USING (tenant_id, n)
"""
FEW = 5
MOST = 200
"""Blocks, for a few rows; each of the giant's tables has thousands of rows."""

MOST_OF_250 = 4_000
"""Blocks, for each of 250 a few."""


@pytest.fixture
async def ids(db: Database) -> dict[str, list[UUID]]:
    """By table, a few of the giant's; of people, those who take part."""
    connection = await asyncpg.connect(user="postgres", database=db.name, host=str(db.socket))
    await connection.execute(FILL)
    await vacuum(connection)
    tenant = await connection.fetchval("SELECT id FROM tenants WHERE slug = 'acme-0'")
    found = {"tenants": [tenant]}
    for table in ("conversations", "messages", "documents"):
        rows = await connection.fetch(
            f"SELECT id FROM {table} WHERE tenant_id = $1 ORDER BY md5(id::text) LIMIT {FEW}",
            tenant,
        )
        found[table] = [row["id"] for row in rows]
    some = "SELECT id FROM users WHERE username IN ('user-4999', 'user-5000')"
    found["some"] = [row["id"] for row in await connection.fetch(some)]
    people = """SELECT DISTINCT user_id FROM participants WHERE tenant_id = $1
        AND user_id <> ALL ($2)"""
    rows = await connection.fetch(people, tenant, found["some"])
    found["people"] = [row["user_id"] for row in rows]
    await connection.close()
    return found


async def test_by_key(ids: dict[str, list[UUID]], monkeypatch: pytest.MonkeyPatch) -> None:
    (tenant,), talks = ids["tenants"], ids["conversations"]
    viewer = Viewer(ids["people"][0], uuid4(), tenant, TenantRole.MEMBER)
    pages = [(talk, Page(20)) for talk in talks]
    people = [(viewer.user_id, Page(5))]
    cited = [(document, Page(20)) for document in ids["documents"]]
    statements = sent(monkeypatch)
    async with DB.tenant(tenant):
        assert all(await users_by_id(viewer, ids["people"]))
        assert all(await memberships_by_user(viewer, ids["people"]))
        assert all(await conversations_by_id(viewer, talks))
        assert all(await messages_by_id(viewer, ids["messages"]))
        assert all(await documents_by_id(viewer, ids["documents"]))
        assert all(await contents_by_document(viewer, ids["documents"]))
        assert all(await documents_by_message(viewer, ids["messages"]))
        assert all(slice.nodes for slice in await participants_by_conversation(viewer, pages))
        assert all(slice.nodes for slice in await messages_by_conversation(viewer, pages))
        assert all(slice.nodes for slice in await messages_by_document(viewer, cited))
        assert all(slice.nodes for slice in await conversations_by_user(viewer, people))
        for statement, values in list(statements):
            found = await plan(
                statement.replace("LIMIT $3", "LIMIT ($3)::bigint"), values, AS_IT_IS
            )
            assert blocks(found) < MOST, found


async def test_a_message_that_is_sent(
    ids: dict[str, list[UUID]], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tenant,), talks, documents = ids["tenants"], ids["conversations"], ids["documents"]
    viewer = Viewer(ids["people"][0], uuid4(), tenant, TenantRole.MEMBER)
    statements = sent(monkeypatch)
    sent_row = await send_message(viewer, talks[0], "Hello", used_document_ids=documents)
    assert list(sent_row.authors) == [viewer.user_id]
    ((statement, values),) = statements
    async with DB.tenant(tenant):
        found = await plan(statement, values, AS_IT_IS)
        assert blocks(found) < MOST, found


async def test_what_a_page_leads_to(
    db: Database, ids: dict[str, list[UUID]], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tenant,), (one, _) = ids["tenants"], ids["some"]
    viewer = Viewer(one, uuid4(), tenant, TenantRole.MEMBER)
    owner = Link("Conversation", "owner_id", users_by_id)
    author = Link("Message", "author_id", users_by_id)
    last = Link("Conversation", "id", last_messages_by_conversation)
    alone = PageArguments(first=FEW)
    connection = await db.connect()
    await connection.execute(
        "UPDATE conversations c SET owner_id = p.user_id FROM participants p"
        " WHERE c.tenant_id = $1 AND p.tenant_id = $1 AND p.conversation_id = c.id"
        " AND p.user_id = $2",
        tenant,
        one,
    )
    await connection.execute(
        "UPDATE messages m SET author_id = c.owner_id, role = 'USER' FROM conversations c"
        " WHERE m.tenant_id = $1 AND c.tenant_id = $1 AND c.id = m.conversation_id"
        " AND c.owner_id IS NOT NULL",
        tenant,
    )
    await connection.close()
    statements = sent(monkeypatch)
    async with DB.tenant(tenant):
        for ahead in (frozenset({owner}), frozenset({last}), frozenset({owner, last, author})):
            await list_conversations(viewer, alone)
            page = await list_conversations(viewer, alone._replace(ahead=Ahead(links=ahead)))
            assert len(page.nodes) == FEW
            assert all(any(found.values()) for found in page.known.values())
            assert len(page.known) == len({link.lookup for link in ahead})
        for (plain, values), (more, _) in zip(statements[::2], statements[1::2], strict=True):
            without = blocks(await plan(plain, values, AS_IT_IS))
            found = await plan(more, values, AS_IT_IS)
            assert blocks(found) < without + MOST / 2, found


async def test_counts_and_search(
    ids: dict[str, list[UUID]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two people who take part in the same 250 conversations, each is asked once for each."""
    (tenant,), (one, other) = ids["tenants"], ids["some"]
    viewer, first = Viewer(one, uuid4(), tenant, TenantRole.MEMBER), PageArguments(first=20)
    statements = sent(monkeypatch)
    async with DB.tenant(tenant):
        assert await conversation_counts_by_user(viewer, [one, other]) == [250, 250]
        for wanted in (ConversationFilter(participant_id=other), ConversationFilter()):
            page = await list_conversations(viewer, first, wanted=wanted)
            assert page.count is not None
            assert await page.count() == 250
        for statement, values in list(statements):
            shown = await plan(statement, values, AS_IT_IS)
            assert blocks(shown) < MOST_OF_250 * (2 if "parent" in statement else 1), shown
        statements.clear()
        found = await search_messages(viewer, "4727", first)
        assert len(found.nodes) == 1
        ((statement, values),) = statements
        shown = await plan(statement, values, AS_IT_IS)
        assert blocks(shown) < MOST / 2, shown

"""Each filter of documents is an index, under row-level security too: a page of what is rare is no
scan of a workspace."""

from itertools import product
from uuid import UUID, uuid4

import asyncpg
import pytest

from core.viewer import TenantRole, Viewer
from resolvers.document_search import DocumentFilter, list_documents
from resolvers.paging import PageArguments
from tables.engine import DB, Row
from tests.conftest import Database
from tests.graph import START, Cast
from tests.tables.conftest import Tenants
from tests.tables.plans import MODES, blocks, plan, sent, vacuum

DOCUMENTS = 100_000
# Neither the first nor the last of their workspace.
FILL = """
    INSERT INTO documents (tenant_id, owner_id, filename, content_type, content, metadata, tags,
                           created_at)
    SELECT tenant, CASE WHEN is_rare THEN $3::uuid ELSE ($2::uuid[])[1 + n % 20] END,
           CASE WHEN is_rare THEN 'Quarterly budget.xlsx' ELSE md5(n::text) || '.md' END,
           CASE WHEN is_rare THEN 'text/rare' ELSE 'text/' || n % 20 END,
           concat_ws(' ', 'meeting', CASE WHEN n % 9 < 3 THEN 'often' END,
               CASE WHEN is_rare THEN 'zebra crossing' ELSE md5((n % 5000)::text) END,
               CASE WHEN is_rare OR n % 3 > 0 THEN 'elsewhere' END),
           jsonb_build_object('kind', 'note', 'number', CASE WHEN is_rare THEN -1 ELSE n END),
           ARRAY['all', CASE WHEN is_rare THEN 'rare' ELSE 'tag ' || n % 99 END],
           $4::timestamptz + n * interval '1 s'
      FROM generate_series(1, $5::int) AS n,
           LATERAL (SELECT ($1::uuid[])[1 + n % 3] AS tenant, n % 10000 BETWEEN 5000 AND 5002
                       AS is_rare)
"""
FOUND = 10
MOST = 400
"""Blocks; a workspace has thousands."""
OFTEN, MOST_OFTEN = 11_111, 16_000
"""Documents with a very common word, and blocks: each is looked at once, a thousand to be ranked;
to look all of them up would be 44,000."""


@pytest.fixture
async def viewer(db: Database) -> Viewer:
    connection = await db.connect()
    cast = Cast(connection)
    tenants = [await cast.tenant(slug) for slug in ("acme", "globex", "initech")]
    rare, *busy = [(await cast.person(f"person{n}")).id for n in range(21)]
    await connection.execute(FILL, tenants, busy, rare, START, DOCUMENTS)
    await vacuum(connection)
    await connection.close()
    return Viewer(rare, uuid4(), tenants[0], TenantRole.MEMBER)


def _cases(rare: UUID) -> list[DocumentFilter]:
    return [
        DocumentFilter(search="zebra"),
        DocumentFilter(search='"zebra crossing"'),
        DocumentFilter(search="meeting zebra"),
        DocumentFilter(search="elsewhere"),  # in this workspace it is rare
        DocumentFilter(search="meeting", tags_all=["rare"]),
        DocumentFilter(search="meeting", owner_id=rare),
        DocumentFilter(search="meeting", content_type="text/rare"),
        DocumentFilter(search="quarterly budget"),
        DocumentFilter(search="Quartely bugdet"),
        DocumentFilter(tags_all=["rare"]),
        DocumentFilter(tags_all=["rare", "all"]),
        DocumentFilter(tags_any=["rare", "never"]),
        DocumentFilter(metadata_contains={"number": -1}),
        DocumentFilter(metadata_contains={"kind": "note", "number": -1}),
        DocumentFilter(content_type="text/rare"),
        DocumentFilter(owner_id=rare),
        DocumentFilter("zebra", ["rare"], ["all"], {"number": -1}, "text/rare", rare),
        DocumentFilter(tags_all=["rare"], include_deleted=True),
    ]


async def test_each_filter_is_an_index(viewer: Viewer, monkeypatch: pytest.MonkeyPatch) -> None:
    statements = sent(monkeypatch)
    for wanted in _cases(viewer.user_id):
        async with DB.tenant(viewer.tenant_id):
            statements.clear()
            page = await list_documents(viewer, PageArguments(first=5), wanted)
            assert page.count is not None
            assert await page.count() == FOUND, wanted
            after = page.order.cursor(page.nodes[-1])
            await list_documents(viewer, PageArguments(first=5, after=after), wanted)
            await list_documents(viewer, PageArguments(last=5, before=after), wanted)
            for (statement, values), mode in product(list(statements), MODES):
                found = await plan(statement, values, mode)
                assert "Seq Scan" not in found, found
                assert blocks(found) < MOST, found


RANKED = """
    SELECT count(*) AS found, count(*) FILTER (WHERE score > 0) AS ranked,
           min(created_at) FILTER (WHERE score > 0) > max(created_at) FILTER (WHERE score = 0)
               AS are_newest
      FROM documents_matching($1, 'often', NULL, NULL, NULL)
"""


async def test_what_a_third_has_is_ranked_as_far_as_the_newest_go(
    viewer: Viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    statements = sent(monkeypatch)
    often = DocumentFilter(search="often")
    async with DB.tenant(viewer.tenant_id):
        (row,) = await DB.fetch(Row, RANKED, viewer.tenant_id)
        assert (row.found, row.ranked, row.are_newest) == (OFTEN, 1_000, True)
        for arguments in (PageArguments(first=20), PageArguments(last=20)):
            statements.clear()
            await list_documents(viewer, arguments, often)
            ((statement, values),) = statements
            for mode in MODES:
                found = await plan(statement, values, mode)
                assert "Seq Scan" not in found, found
                assert blocks(found) < MOST_OFTEN, found


MATCHING = "SELECT id FROM documents_matching($1, NULL, NULL, NULL, '{}')"


async def test_what_matches_is_of_the_scope(db: Database, tenants: Tenants) -> None:
    acme, globex = tenants.acme.tenant_id, tenants.globex.tenant_id
    for own, other in ((acme, globex), (globex, acme)):
        async with DB.tenant(own):
            documents = await DB.fetch(Row, "SELECT id FROM documents WHERE tenant_id = $1", own)
            matching = await DB.fetch(Row, MATCHING, own)
            assert {row.id for row in matching} == {row.id for row in documents} != set()
            for tenant in (other, None):
                assert await DB.fetch(Row, MATCHING, tenant) == []


async def test_nothing_matches_outside_of_a_scope(database: Database, tenants: Tenants) -> None:
    login = await database.connect("parley_app")
    with pytest.raises(asyncpg.UndefinedFunctionError):  # it may not even look into the schema
        await login.fetch(MATCHING, tenants.acme.tenant_id)
    await login.execute("SET ROLE parley_tenant")
    for setting in ("RESET app.tenant_id", "SET app.tenant_id = ''"):
        await login.execute(setting)
        for tenant in (tenants.acme.tenant_id, None):
            assert await login.fetch(MATCHING, tenant) == []
    await login.execute("SET ROLE parley_auth")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await login.fetch(MATCHING, tenants.acme.tenant_id)
    await login.close()

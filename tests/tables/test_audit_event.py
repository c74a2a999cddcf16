"""Each filter of the audit log is an index: a page of what is rare is no scan of a workspace."""

from datetime import timedelta
from itertools import product
from uuid import UUID, uuid4

import pytest

from core.viewer import TenantRole, Viewer
from resolvers.audit_event import AuditFilter, list_audit_events
from resolvers.paging import PageArguments
from tables.engine import DB
from tests.conftest import Database
from tests.graph import START, Cast
from tests.tables.plans import MODES, blocks, indexes, plan, sent

EVENTS = 20_000
FILL = """
    INSERT INTO audit_events (tenant_id, actor_id, action, target_id, created_at)
    SELECT tenant, CASE WHEN is_rare THEN $3::uuid ELSE $2::uuid END,
           CASE WHEN is_rare THEN 'rare' ELSE 'action ' || n % 9 END,
           'User:' || CASE WHEN is_rare THEN $3::uuid ELSE uuidv7() END,
           $4::timestamptz + n * interval '1 s'
      FROM generate_series(1, $5::int) AS n,
           LATERAL (SELECT ($1::uuid[])[1 + n % 3] AS tenant, n % 1000 < 3 AS is_rare)
"""
SOON, LATE = [START + timedelta(seconds=n) for n in (50, EVENTS - 50)]


@pytest.fixture
async def viewer(db: Database) -> Viewer:
    connection = await db.connect()
    cast = Cast(connection)
    tenants = [await cast.tenant(slug) for slug in ("acme", "globex", "initech")]
    busy, rare = [(await cast.person(name)).id for name in ("busy", "rare")]
    await connection.execute(FILL, tenants, busy, rare, START, EVENTS)
    await connection.execute("ANALYZE audit_events")
    await connection.close()
    return Viewer(rare, uuid4(), tenants[0], TenantRole.OWNER)


def _cases(rare: UUID) -> list[tuple[str, AuditFilter]]:
    """Indexes that serve a filter, and the filter."""
    return [
        ("created", AuditFilter()),
        ("created", AuditFilter(since=LATE)),
        ("created", AuditFilter(until=SOON)),
        ("action", AuditFilter(action="rare")),
        ("action", AuditFilter(action="rare", since=START)),
        ("actor", AuditFilter(actor_id=rare)),
        ("actor", AuditFilter(actor_id=rare, until=LATE)),
        ("target", AuditFilter(target=("User", rare))),
        ("action actor target", AuditFilter("rare", rare, ("User", rare), START, LATE)),
    ]


async def test_each_filter_is_an_index(viewer: Viewer, monkeypatch: pytest.MonkeyPatch) -> None:
    statements = sent(monkeypatch)
    for serving, wanted in _cases(viewer.user_id):
        async with DB.tenant(viewer.tenant_id):
            statements.clear()
            page = await list_audit_events(viewer, PageArguments(first=5), wanted)
            after = page.order.cursor(page.nodes[-1])
            await list_audit_events(viewer, PageArguments(first=5, after=after), wanted)
            for (statement, values), mode in product(list(statements), MODES):
                found = await plan(statement, values, mode)
                (used,) = indexes(found)
                assert used.removeprefix("audit_events_") in serving.split(), found
                assert blocks(found) < 20, found

"""Each filter of the audit log is an index: a page of what is rare is no scan of a workspace."""

import re
from collections.abc import Sequence
from datetime import timedelta
from itertools import product
from typing import Any
from uuid import UUID, uuid4

import pytest

from core.viewer import TenantRole, Viewer
from resolvers.audit_event import AuditFilter, list_audit_events
from resolvers.paging import PageArguments
from tables.engine import DB, Row, TenantEngine
from tests.conftest import Database
from tests.graph import START, Cast

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
MODES = ("auto", "force_generic_plan")
OFTEN = 10
"""By then PostgreSQL has chosen between a plan for the values and one for all values."""


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
    sent = _sent(monkeypatch)
    for indexes, wanted in _cases(viewer.user_id):
        async with DB.tenant(viewer.tenant_id):
            sent.clear()
            page = await list_audit_events(viewer, PageArguments(first=5), wanted)
            after = page.order.cursor(page.nodes[-1])
            await list_audit_events(viewer, PageArguments(first=5, after=after), wanted)
            for (statement, values), mode in product(list(sent), MODES):
                plan = await _plan(statement, values, mode)
                (used,) = _indexes(plan)
                assert used.removeprefix("audit_events_") in indexes.split(), plan
                assert _blocks(plan) < 20, plan


def _sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Sequence[object]]]:
    """Fills with what the application asks from now on."""
    sent: list[tuple[str, Sequence[object]]] = []
    fetch = TenantEngine.fetch

    async def fetch_noted(self: TenantEngine, row: Any, query: str, *args: object) -> Any:
        sent.append((query, args))
        return await fetch(self, row, query, *args)

    monkeypatch.setattr(TenantEngine, "fetch", fetch_noted)
    return sent


async def _plan(statement: str, values: Sequence[object], mode: str) -> str:
    """Of a statement that has run often, as it runs in the scope."""
    literals = ", ".join(f"'{value}'" for value in values)
    await DB.execute(f"SET LOCAL plan_cache_mode = {mode}")
    await DB.execute(f"PREPARE listed AS {statement}")
    for _ in range(OFTEN):
        await DB.execute(f"EXECUTE listed({literals})")
    plan = await DB.fetch(Row, f"EXPLAIN (ANALYZE, BUFFERS) EXECUTE listed({literals})")
    await DB.execute("DEALLOCATE listed")
    return "\n".join(line[0] for line in plan)


def _indexes(plan: str) -> set[str]:
    """Names; "scan" for what uses none."""
    found = re.findall(r"(?:using|Index Scan on|Index Only Scan on) (\w+)", plan)
    return {*found, "scan"} if "Seq Scan" in plan else set(found)


def _blocks(plan: str) -> int:
    """Of 8 kB, that were looked at."""
    return int(plan.split("shared hit=")[1].split(maxsplit=1)[0])

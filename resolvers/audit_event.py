"""The audit log: who did what in a workspace. It only grows; admins read it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from core.text import storable
from core.viewer import Caller, Viewer
from resolvers.access import require_admin
from resolvers.loading import by_key
from resolvers.order import Key, Order
from resolvers.paging import PageArguments, Slice, fetch_page
from tables.engine import DB, Row

COLUMNS = """a.id, a.action, a.actor_id, a.target_id, a.details, a.ip_address, a.request_id,
    a.created_at"""

NEWEST = Order(
    "audit_event",
    (Key("a.created_at", "created_at", "timestamptz"), Key("a.id", "id", "uuid")),
    descending=True,
)

Target = tuple[str, UUID]
"""What was acted on, by type and key: ("User", …)."""


class AuditEventRow(Row):
    node_type = "AuditEvent"
    id: UUID


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """From `since` on, and before `until`."""

    action: str | None = None
    actor_id: UUID | None = None
    target: Target | None = None
    since: datetime | None = None
    until: datetime | None = None


async def record(
    tenant_id: UUID,
    actor_id: UUID | None,
    caller: Caller,
    action: str,
    target: Target | None = None,
    **details: object,
) -> None:
    """In the transaction of what it records, whose scope may be of the tenant or of identity."""
    await DB.execute(
        "INSERT INTO audit_events"
        " (tenant_id, action, actor_id, target_id, details, ip_address, request_id)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7)",
        tenant_id,
        action,
        actor_id,
        target and _stored(target),
        details,
        caller.ip_address,
        caller.request_id,
    )


async def list_audit_events(
    viewer: Viewer, arguments: PageArguments, wanted: AuditFilter = AuditFilter()
) -> Slice[AuditEventRow]:
    """Newest first. Raises Forbidden for members."""
    require_admin(viewer)
    asked = _comparisons(wanted)
    return await fetch_page(
        AuditEventRow,
        COLUMNS,
        f"FROM audit_events a WHERE a.tenant_id = $1 AND {_conditions(asked)}",
        NEWEST,
        arguments.page(NEWEST),
        viewer.tenant_id,
        *asked.values(),
    )


async def audit_events_by_id(viewer: Viewer, ids: Sequence[UUID]) -> list[AuditEventRow | None]:
    """For members all are missing."""
    if not viewer.is_admin:
        return [None] * len(ids)
    rows = await DB.fetch(
        AuditEventRow,
        f"SELECT {COLUMNS} FROM audit_events a WHERE a.tenant_id = $1 AND a.id = ANY($2)",
        viewer.tenant_id,
        ids,
    )
    return by_key(rows, ids, "id")


# Only what is asked for: `$2 IS NULL OR a.action = $2`, planned for any values, would scan the
# workspace instead of the index on actions.
def _comparisons(wanted: AuditFilter) -> dict[str, object]:
    asked = {
        "a.action =": wanted.action and storable(wanted.action, "filter", "action"),
        "a.actor_id =": wanted.actor_id,
        "a.target_id =": wanted.target and storable(_stored(wanted.target), "filter", "targetId"),
        "a.created_at >=": wanted.since,
        "a.created_at <": wanted.until,
    }
    return {comparison: value for comparison, value in asked.items() if value is not None}


def _conditions(comparisons: Iterable[str]) -> str:
    """With the values from $2 on."""
    return " AND ".join(f"{part} ${n}" for n, part in enumerate(comparisons, 2)) or "TRUE"


def _stored(target: Target) -> str:
    return f"{target[0]}:{target[1]}"

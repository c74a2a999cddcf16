from collections.abc import Sequence
from uuid import UUID

from core.viewer import Identity, Viewer
from resolvers.loading import by_key
from tables.engine import DB, Row

PUBLIC_COLUMNS = "t.id, t.slug, t.name, t.created_at, t.updated_at, '{}'::jsonb AS settings"
COLUMNS = "t.id, t.slug, t.name, t.created_at, t.updated_at, t.settings"


class TenantRow(Row):
    node_type = "Tenant"
    id: UUID


async def tenants_by_id(viewer: Viewer, ids: Sequence[UUID]) -> list[TenantRow | None]:
    """The request's workspace; any other one is missing."""
    rows = await DB.fetch(
        TenantRow,
        f"SELECT {COLUMNS} FROM tenants t WHERE t.id = $1 AND t.id = ANY($2)",
        viewer.tenant_id,
        ids,
    )
    return by_key(rows, ids, "id")


async def own_tenants_by_id(identity: Identity, ids: Sequence[UUID]) -> list[TenantRow | None]:
    """Workspaces that one is a member of, as everybody in them sees them."""
    rows = await DB.fetch_identity(
        TenantRow,
        f"SELECT {PUBLIC_COLUMNS} FROM tenants t JOIN memberships m ON m.tenant_id = t.id"
        " WHERE m.user_id = $1 AND m.is_active AND t.id = ANY($2)",
        identity.user_id,
        ids,
    )
    return by_key(rows, ids, "id")

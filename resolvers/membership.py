from collections.abc import Sequence
from uuid import UUID

from core.viewer import Identity, TenantRole, Viewer
from resolvers.loading import by_key
from resolvers.paging import Key, Order, PageArguments, Slice, fetch_page
from resolvers.user import CountRow, contains, found
from tables.engine import DB, Row

COLUMNS = "m.id, m.tenant_id, m.user_id, m.role, m.is_active, m.created_at"

BY_JOINING = Order(
    "membership", (Key("m.created_at", "created_at", "timestamptz"), Key("m.id", "id", "uuid"))
)


class MembershipRow(Row):
    node_type = "Membership"
    id: UUID
    tenant_id: UUID
    user_id: UUID


async def memberships_by_id(viewer: Viewer, ids: Sequence[UUID]) -> list[MembershipRow | None]:
    rows = await DB.fetch(
        MembershipRow,
        f"SELECT {COLUMNS} FROM memberships m WHERE m.tenant_id = $1 AND m.id = ANY($2)",
        viewer.tenant_id,
        ids,
    )
    return by_key(rows, ids, "id")


async def memberships_by_user(viewer: Viewer, ids: Sequence[UUID]) -> list[MembershipRow | None]:
    rows = await DB.fetch(
        MembershipRow,
        f"SELECT {COLUMNS} FROM memberships m WHERE m.tenant_id = $1 AND m.user_id = ANY($2)",
        viewer.tenant_id,
        ids,
    )
    return by_key(rows, ids, "user_id")


async def own_memberships(identity: Identity) -> list[MembershipRow]:
    """Of every workspace that one can switch to."""
    return await DB.fetch_identity(
        MembershipRow,
        f"SELECT {COLUMNS} FROM memberships m WHERE m.user_id = $1 AND m.is_active"
        " ORDER BY m.created_at, m.id",
        identity.user_id,
    )


async def list_members(
    viewer: Viewer,
    arguments: PageArguments,
    search: str | None = None,
    roles: Sequence[TenantRole] | None = None,
) -> Slice[MembershipRow]:
    """The workspace's active memberships, oldest first."""
    source = f"""FROM memberships m JOIN tenant_users u ON u.tenant_id = $1 AND u.id = m.user_id
        WHERE m.tenant_id = $1 AND m.is_active AND {found(viewer)}
        AND ($3::text[] IS NULL OR m.role = ANY($3))"""
    pattern = None if search is None else contains(search, "search")
    parameters = viewer.tenant_id, pattern, roles

    async def count() -> int:
        return (await DB.fetch(CountRow, f"SELECT count(*) {source}", *parameters))[0].count

    page = arguments.page(BY_JOINING)
    rows = await fetch_page(
        MembershipRow, f"SELECT {COLUMNS} {source}", BY_JOINING, page, *parameters
    )
    return rows.counted(count)

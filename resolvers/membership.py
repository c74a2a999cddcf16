from collections.abc import Sequence
from uuid import UUID

from core.text import pattern
from core.viewer import Identity, TenantRole, Viewer
from resolvers.access import matches_person
from resolvers.loading import by_key
from resolvers.order import Key, Order
from resolvers.paging import PageArguments, Slice, fetch_page
from tables.engine import DB, Row

COLUMNS = "m.id, m.tenant_id, m.user_id, m.role, m.is_active, m.created_at"

BY_JOINING = Order(
    "membership", (Key("m.created_at", "created_at", "timestamptz"), Key("m.id", "id", "uuid"))
)

_JOIN_PERSON = "JOIN tenant_users u ON u.tenant_id = $1 AND u.id = m.user_id"

MAX_MEMBERSHIPS = 100


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
    """Of the workspaces that one can switch to, the first joined first."""
    return await DB.fetch_identity(
        MembershipRow,
        f"SELECT {COLUMNS} FROM memberships m WHERE m.user_id = $1 AND m.is_active"
        f" ORDER BY m.created_at, m.id LIMIT {MAX_MEMBERSHIPS}",
        identity.user_id,
    )


async def list_members(
    viewer: Viewer,
    arguments: PageArguments,
    search: str | None = None,
    roles: Sequence[TenantRole] | None = None,
) -> Slice[MembershipRow]:
    """The workspace's active memberships, oldest first."""
    return await fetch_page(
        MembershipRow,
        COLUMNS,
        f"""FROM memberships m {"" if search is None else _JOIN_PERSON}
        WHERE m.tenant_id = $1 AND m.is_active
        AND {"$2::text IS NULL" if search is None else matches_person(viewer)}
        AND ($3::text[] IS NULL OR m.role = ANY($3))""",
        BY_JOINING,
        arguments.page(BY_JOINING),
        viewer.tenant_id,
        None if search is None else pattern(search, "search"),
        roles,
    )

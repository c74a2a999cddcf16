"""Who is in a workspace, and as what. OWNER may what ADMIN may, ADMIN what MEMBER may.

Rules lock the workspace, and ask the database for the role of whoever acts: two owners who demote
each other at once leave one, and who was demoted a moment ago does nothing more.
"""

from dataclasses import replace
from uuid import UUID

from core.errors import Conflict, NotFound
from core.text import normalised, storable
from core.viewer import Caller, TenantRole, Viewer
from resolvers.access import no_member, require_admin, require_rank
from resolvers.audit_event import record
from resolvers.membership import COLUMNS, MembershipRow
from resolvers.services import Services
from tables.engine import DB, IdRow, Row


class RoleRow(Row):
    role: str


async def add_member(
    services: Services, viewer: Viewer, caller: Caller, username: str, role: TenantRole
) -> MembershipRow:
    """Who has left comes back. Raises Forbidden, NotFound, Conflict."""
    require_admin(viewer)
    name = normalised(storable(username, "username"))
    async with DB.tenant(viewer.tenant_id):
        require_rank(await locked_actor(viewer), role)
        user_id = await _person(name)
        rows = await DB.fetch(
            MembershipRow,
            f"""INSERT INTO memberships AS m (tenant_id, user_id, role, entered_at)
            VALUES ($1, $2, $3, NULL) ON CONFLICT (tenant_id, user_id)
            DO UPDATE SET role = EXCLUDED.role, is_active = true, entered_at = NULL
            WHERE NOT m.is_active RETURNING {COLUMNS}""",
            viewer.tenant_id,
            user_id,
            role,
        )
        if not rows:
            raise Conflict("Is a member already.", ("username",))
        await _record(viewer, caller, "member.added", user_id, role=role)
    await services.invalidations.forget_now()
    return rows[0]


async def change_member_role(
    services: Services, viewer: Viewer, caller: Caller, user_id: UUID, role: TenantRole
) -> MembershipRow:
    """Raises Forbidden, NotFound, Conflict when no owner would be left."""
    require_admin(viewer)
    async with DB.tenant(viewer.tenant_id):
        actor = await locked_actor(viewer)
        require_rank(actor, role)
        before = await _member(viewer, user_id)
        require_rank(actor, TenantRole(before.role))
        if before.role == role:
            return before
        if role is not TenantRole.OWNER:
            await _keep_an_owner(viewer, before)
        after = await _change(viewer, user_id, role=role)
        await _record(
            viewer, caller, "member.role_changed", user_id, **{"from": before.role, "to": role}
        )
    await services.invalidations.forget_now()
    return after


async def remove_member(
    services: Services, viewer: Viewer, caller: Caller, user_id: UUID
) -> MembershipRow:
    """Oneself, or somebody not above oneself. Raises Forbidden, NotFound, Conflict when no owner
    would be left."""
    leaves = user_id == viewer.user_id
    if not leaves:
        require_admin(viewer)
    async with DB.tenant(viewer.tenant_id):
        actor = await locked_actor(viewer)
        before = await _member(viewer, user_id)
        if not leaves:
            require_rank(actor, TenantRole(before.role))
        await _keep_an_owner(viewer, before)
        after = await _change(viewer, user_id, is_active=False)
        action = "member.left" if leaves else "member.removed"
        await _record(viewer, caller, action, user_id, role=before.role)
    await services.invalidations.forget_now()
    return after


async def locked_actor(viewer: Viewer) -> Viewer:
    """The viewer, with the role that they have now: nothing about members changes until the
    transaction ends. Raises Forbidden."""
    await DB.execute("SELECT FROM tenants t WHERE t.id = $1 FOR NO KEY UPDATE", viewer.tenant_id)
    rows = await DB.fetch(
        RoleRow,
        "SELECT m.role FROM memberships m WHERE m.tenant_id = $1 AND m.user_id = $2"
        " AND m.is_active",
        viewer.tenant_id,
        viewer.user_id,
    )
    if not rows:
        raise no_member()
    return replace(viewer, role=TenantRole(rows[0].role))


async def _person(username: str) -> UUID:
    rows = await DB.fetch_identity(
        IdRow, "SELECT u.id FROM users u WHERE u.username = $1 AND u.is_active", username
    )
    if not rows:
        raise NotFound("There is no such person.", ("username",))
    return rows[0].id


async def _member(viewer: Viewer, user_id: UUID) -> MembershipRow:
    rows = await DB.fetch(
        MembershipRow,
        f"SELECT {COLUMNS} FROM memberships m WHERE m.tenant_id = $1 AND m.user_id = $2"
        " AND m.is_active",
        viewer.tenant_id,
        user_id,
    )
    if not rows:
        raise NotFound("Is not a member of this workspace.", ("userId",))
    return rows[0]


async def _keep_an_owner(viewer: Viewer, member: MembershipRow) -> None:
    """Raises Conflict when `member` is the only one."""
    if member.role != TenantRole.OWNER:
        return
    others = await DB.fetch(
        RoleRow,
        """SELECT m.role FROM memberships m WHERE m.tenant_id = $1 AND m.user_id <> $2
        AND m.is_active AND m.role = 'OWNER' LIMIT 1""",
        viewer.tenant_id,
        member.user_id,
    )
    if not others:
        raise Conflict("A workspace keeps an owner: make somebody else one first.", ("userId",))


async def _change(
    viewer: Viewer, user_id: UUID, *, role: TenantRole | None = None, is_active: bool = True
) -> MembershipRow:
    (row,) = await DB.fetch(
        MembershipRow,
        f"""UPDATE memberships m SET role = coalesce($3, m.role), is_active = $4
        WHERE m.tenant_id = $1 AND m.user_id = $2 RETURNING {COLUMNS}""",
        viewer.tenant_id,
        user_id,
        role,
        is_active,
    )
    return row


async def _record(
    viewer: Viewer, caller: Caller, action: str, user_id: UUID, **details: object
) -> None:
    await record(viewer.tenant_id, viewer.user_id, caller, action, ("User", user_id), **details)

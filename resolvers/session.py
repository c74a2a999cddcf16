import re
from collections.abc import Sequence
from uuid import UUID

from core.errors import Unauthenticated
from core.viewer import Identity, TenantRole, Viewer
from resolvers.loading import by_key
from tables.engine import DB, Row

COLUMNS = "s.id, s.user_agent, s.ip_address, s.created_at, s.last_activity_at, s.expires_at"
LIVE = "s.revoked_at IS NULL AND s.expires_at > now()"
MAX_SESSIONS = 100
UUID_FORM = re.compile("[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}", re.IGNORECASE)


class SessionRow(Row):
    node_type = "Session"
    id: UUID


class EntryRow(Row):
    tenant_id: UUID | None
    role: str | None


async def authenticate(identity: Identity, tenant: str | None) -> Identity:
    """A Viewer when the person is an active member of the workspace: `tenant` is its slug or id,
    None means the session's own. Else their Identity alone: no such workspace and not a member
    are one answer. Raises Unauthenticated when the session or the person is no more."""
    chosen, parameters = _chosen(tenant)
    async with DB.identity(read_only=True):
        rows = await DB.fetch(
            EntryRow,
            f"""SELECT m.tenant_id, m.role FROM sessions s
            JOIN users u ON u.id = s.user_id AND u.is_active
            LEFT JOIN tenants t ON {chosen}
            LEFT JOIN memberships m ON m.tenant_id = t.id AND m.user_id = u.id AND m.is_active
            WHERE s.id = $1 AND s.user_id = $2 AND {LIVE}""",
            identity.session_id,
            identity.user_id,
            *parameters,
        )
    if not rows:
        raise Unauthenticated("Sign in again.")
    entry = rows[0]
    if entry.tenant_id is None or entry.role is None:
        return identity
    return Viewer(identity.user_id, identity.session_id, entry.tenant_id, TenantRole(entry.role))


def _chosen(tenant: str | None) -> tuple[str, tuple[object, ...]]:
    if tenant is None:
        return "t.id = s.home_tenant_id", ()
    if UUID_FORM.fullmatch(tenant):
        return "t.id = $3", (UUID(tenant),)
    # What PostgreSQL cannot hold is the slug of none, rather than an error of its own.
    slug = tenant if tenant.isascii() and tenant.isprintable() else ""
    return "t.slug = $3", (slug,)


async def own_sessions(identity: Identity) -> list[SessionRow]:
    """Live ones, the latest used first."""
    return await DB.fetch_identity(
        SessionRow,
        f"SELECT {COLUMNS} FROM sessions s WHERE s.user_id = $1 AND {LIVE}"
        f" ORDER BY s.last_activity_at DESC, s.id LIMIT {MAX_SESSIONS}",
        identity.user_id,
    )


async def own_sessions_by_id(identity: Identity, ids: Sequence[UUID]) -> list[SessionRow | None]:
    rows = await DB.fetch_identity(
        SessionRow,
        f"SELECT {COLUMNS} FROM sessions s WHERE s.user_id = $1 AND {LIVE} AND s.id = ANY($2)",
        identity.user_id,
        ids,
    )
    return by_key(rows, ids, "id")

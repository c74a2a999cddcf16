from collections.abc import Sequence
from uuid import UUID

from core.viewer import Identity
from resolvers.loading import by_key
from tables.engine import DB, Row

COLUMNS = "s.id, s.user_agent, s.ip_address, s.created_at, s.last_activity_at, s.expires_at"
LIVE = "s.revoked_at IS NULL AND s.expires_at > now()"
MAX_SESSIONS = 100


class SessionRow(Row):
    node_type = "Session"
    id: UUID


async def own_sessions(identity: Identity) -> list[SessionRow]:
    """Live ones, the latest used first."""
    return await DB.fetch_identity(
        SessionRow,
        f"SELECT {COLUMNS} FROM sessions s WHERE s.user_id = $1 AND {LIVE}"
        f" ORDER BY s.last_activity_at DESC, s.id LIMIT {MAX_SESSIONS}",
        identity.user_id,
    )


async def make_home(identity: Identity, tenant_id: UUID) -> None:
    """It becomes the session's own workspace, if that has none. In the caller's identity scope."""
    await DB.execute(
        """UPDATE sessions s SET home_tenant_id = $3
        WHERE s.user_id = $1 AND s.id = $2 AND s.home_tenant_id IS NULL""",
        identity.user_id,
        identity.session_id,
        tenant_id,
    )


async def own_sessions_by_id(identity: Identity, ids: Sequence[UUID]) -> list[SessionRow | None]:
    rows = await DB.fetch_identity(
        SessionRow,
        f"SELECT {COLUMNS} FROM sessions s WHERE s.user_id = $1 AND {LIVE} AND s.id = ANY($2)",
        identity.user_id,
        ids,
    )
    return by_key(rows, ids, "id")

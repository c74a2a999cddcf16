"""Ending sessions. Their access tokens end with them."""

from uuid import UUID

from core.errors import NotFound
from core.viewer import Caller, Identity
from resolvers.audit_event import record
from resolvers.services import Services
from resolvers.session import LIVE
from tables.engine import DB, Row


class EndedRow(Row):
    id: UUID
    home_tenant_id: UUID | None


async def sign_out(services: Services, identity: Identity, caller: Caller) -> None:
    await _end(services, identity, caller, "session.signed_out", only=identity.session_id)


async def sign_out_everywhere(services: Services, identity: Identity, caller: Caller) -> None:
    await _end(services, identity, caller, "session.signed_out")


async def revoke_session(
    services: Services, identity: Identity, caller: Caller, session_id: UUID
) -> None:
    """Raises NotFound for one that is not one's own, or has ended."""
    if not await _end(services, identity, caller, "session.revoked", only=session_id):
        raise NotFound("You have no such session.", ("id",))


async def _end(
    services: Services, identity: Identity, caller: Caller, action: str, only: UUID | None = None
) -> int:
    async with DB.identity():
        ended = await end_sessions(identity, caller, action, only=only)
    await services.invalidations.forget_now()
    return ended


async def end_sessions(
    identity: Identity,
    caller: Caller,
    action: str,
    only: UUID | None = None,
    but: UUID | None = None,
) -> int:
    """In the caller's identity scope. Returns how many ended."""
    rows = await DB.fetch(
        EndedRow,
        # Locked in one order: two who sign out everywhere at once cannot deadlock.
        f"""UPDATE sessions s SET revoked_at = now() WHERE s.user_id = $1 AND s.id IN (
            SELECT s.id FROM sessions s WHERE s.user_id = $1 AND {LIVE}
            AND ($2::uuid IS NULL OR s.id = $2) AND s.id IS DISTINCT FROM $3::uuid
            ORDER BY s.id FOR NO KEY UPDATE)
        RETURNING s.id, s.home_tenant_id""",
        identity.user_id,
        only,
        but,
    )
    for row in rows:
        if row.home_tenant_id is not None:
            await record(row.home_tenant_id, identity.user_id, caller, action, ("Session", row.id))
    return len(rows)

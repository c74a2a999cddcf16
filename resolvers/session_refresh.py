"""Exchanging a refresh token for the next one, once (RFC 9700, section 4.14.2).

The tokens of a session form a chain, each derived from its parent: tabs that show the same token at
once get the same successor. A parent is accepted for a short grace, as long as its child was not
used. Whoever shows an older one has stolen it, or was stolen from: the session ends.
"""

import logging
from datetime import timedelta
from typing import Literal
from uuid import UUID

from uuid_utils.compat import uuid7

from core.errors import Unauthenticated
from core.rate_limit import network
from core.refresh_token import fingerprint, successor
from core.time import now
from core.viewer import Caller, Identity
from resolvers.audit_event import record
from resolvers.services import Services
from resolvers.session import LIVE
from resolvers.session_opening import SignedIn, signed_in
from tables.engine import DB, Row

log = logging.getLogger("parley.session")


class SessionIdRow(Row):
    session_id: UUID


class TokenRow(Row):
    id: UUID
    session_id: UUID
    user_id: UUID
    home_tenant_id: UUID | None
    state: Literal["fresh", "repeated", "reused"]
    child_id: UUID | None


async def refresh_session(services: Services, caller: Caller, token: str) -> SignedIn:
    """Raises Unauthenticated, RateLimited."""
    settings, token_hash = services.settings, fingerprint(token)
    address = network(caller.ip_address)
    await services.limits.take(settings.limit_refresh_address, "refresh_address", address)
    session_id = await _session_of(token_hash)
    await services.limits.take(settings.limit_refresh_session, "refresh", str(session_id))
    async with DB.identity():
        await _lock(session_id)
        row = await _token(token_hash, settings.refresh_grace_seconds)
        if row.state == "reused":
            await _end_family(row, caller)
        else:
            child_id = row.child_id or await _exchange(row, token, settings.session_seconds)
    if row.state == "reused":
        await services.invalidations.forget_now()
        raise _refusal()
    return signed_in(services, Identity(row.user_id, row.session_id), successor(token, child_id))


def _refusal() -> Unauthenticated:
    return Unauthenticated("The refresh token is not valid: sign in again.")


async def _session_of(token_hash: bytes) -> UUID:
    async with DB.identity(read_only=True):
        rows = await DB.fetch(
            SessionIdRow,
            "SELECT r.session_id FROM refresh_tokens r WHERE r.token_hash = $1",
            token_hash,
        )
    if not rows:
        raise _refusal()
    return rows[0].session_id


async def _lock(session_id: UUID) -> None:
    """A statement of its own: the one that waits for a lock still sees what was before."""
    await DB.execute("SELECT FROM sessions s WHERE s.id = $1 FOR NO KEY UPDATE", session_id)


async def _token(token_hash: bytes, grace: float) -> TokenRow:
    """Raises Unauthenticated for a token that ended, or whose session or person did."""
    rows = await DB.fetch(
        TokenRow,
        f"""SELECT r.id, r.session_id, s.user_id, s.home_tenant_id, child.id AS child_id,
        CASE WHEN r.used_at IS NULL THEN 'fresh'
             WHEN child.used_at IS NULL AND r.used_at > now() - $2 * interval '1 s'
             THEN 'repeated' ELSE 'reused' END AS state
        FROM refresh_tokens r JOIN sessions s ON s.id = r.session_id AND {LIVE}
        JOIN users u ON u.id = s.user_id AND u.is_active
        LEFT JOIN refresh_tokens child
            ON child.session_id = r.session_id AND child.parent_id = r.id
        WHERE r.token_hash = $1 AND r.expires_at > now()""",
        token_hash,
        grace,
    )
    if not rows:
        raise _refusal()
    return rows[0]


async def _exchange(row: TokenRow, token: str, lifetime: float) -> UUID:
    """Seconds. Returns the key of the successor."""
    child_id, expires_at = uuid7(), now() + timedelta(seconds=lifetime)
    await DB.execute("UPDATE refresh_tokens SET used_at = now() WHERE id = $1", row.id)
    await DB.execute(
        "DELETE FROM refresh_tokens WHERE session_id = $1 AND expires_at <= now()", row.session_id
    )
    await DB.execute(
        """INSERT INTO refresh_tokens (id, session_id, parent_id, token_hash, expires_at)
        VALUES ($1, $2, $3, $4, $5)""",
        child_id,
        row.session_id,
        row.id,
        fingerprint(successor(token, child_id)),
        expires_at,
    )
    await DB.execute(
        "UPDATE sessions SET expires_at = $2 WHERE id = $1", row.session_id, expires_at
    )
    return child_id


async def _end_family(row: TokenRow, caller: Caller) -> None:
    log.warning(
        "a refresh token was reused: request %s, session %s", caller.request_id, row.session_id
    )
    await DB.execute("UPDATE sessions SET revoked_at = now() WHERE id = $1", row.session_id)
    if row.home_tenant_id is not None:
        await record(
            row.home_tenant_id,
            None,  # the thief, or whom they stole from
            caller,
            "session.refresh_token_reused",
            ("User", row.user_id),
            session=str(row.session_id),
        )

"""Access tokens for development: the sign-in of a person without asking them."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from core.credentials import AccessTokens
from core.settings import Settings
from core.text import normalised, normalised_email
from ops.database import Connection, as_owner
from ops.failure import Failure

FIND_MEMBER = """
SELECT u.id AS user_id, t.id AS tenant_id FROM users u
  JOIN memberships m ON m.user_id = u.id
  JOIN tenants t ON t.id = m.tenant_id
 WHERE t.slug = $2 AND u.is_active AND m.is_active AND (u.username = $1 OR u.email = $1)
 ORDER BY u.username = $1 DESC LIMIT 1
"""
ADD_SESSION = """
INSERT INTO sessions (user_id, home_tenant_id, user_agent, expires_at)
VALUES ($1, $2, $3, $4) RETURNING id
"""
PROLONG_SESSION = """
UPDATE sessions SET expires_at = $4, last_activity_at = now() WHERE id = (
    SELECT id FROM sessions
     WHERE user_id = $1 AND home_tenant_id = $2 AND user_agent = $3 AND revoked_at IS NULL
     ORDER BY created_at DESC LIMIT 1)
RETURNING id
"""


@dataclass(frozen=True)
class TokenRequest:
    """Whose token, for which workspace, how long it lasts and what it is for."""

    username: str
    tenant: str
    lifetime: timedelta
    user_agent: str = "python -m ops token"
    reuse_session: bool = False


async def mint(settings: Settings, request: TokenRequest) -> str:
    """Raises Failure in production, and for whoever is not an active member."""
    if settings.environment == "production":
        raise Failure("tokens are minted in development only: people sign in")
    tokens = AccessTokens.of(settings)
    async with as_owner(settings) as connection:
        user_id, session_id = await _open_session(connection, request)
    return tokens.sign(user_id, session_id, expires_in=request.lifetime)


async def _open_session(connection: Connection, request: TokenRequest) -> tuple[UUID, UUID]:
    name, slug = normalised_email(request.username), normalised(request.tenant)
    member = await connection.fetchrow(FIND_MEMBER, name, slug)
    if member is None:
        raise Failure(f"{request.username!r} is no active member of a workspace {request.tenant!r}")
    expires_at = datetime.now(UTC) + request.lifetime
    values = (member["user_id"], member["tenant_id"], request.user_agent, expires_at)
    session_id = None
    if request.reuse_session:
        session_id = await connection.fetchval(PROLONG_SESSION, *values)
    return member["user_id"], session_id or await connection.fetchval(ADD_SESSION, *values)

"""Signing in: from a name and a password to a session and its tokens."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from core.errors import RateLimited, Unauthenticated
from core.rate_limit import network
from core.refresh_token import fingerprint, new_refresh_token
from core.text import UNSTORABLE, normalised_email
from core.time import now
from core.viewer import Caller, Identity
from resolvers.audit_event import record
from resolvers.authentication import asked_tenant
from resolvers.services import Services
from tables.engine import DB, IdRow, Row

log = logging.getLogger("parley.session")

WRONG = "The username or the password is wrong."
LONGEST_USER_AGENT = 512


class AccountRow(Row):
    id: UUID
    is_active: bool
    password_hash: str | None


class HomeRow(Row):
    tenant_id: UUID


@dataclass(frozen=True, slots=True)
class SignedIn:
    identity: Identity
    access_token: str
    refresh_token: str
    expires_at: datetime
    """Of the access token."""


async def sign_in(
    services: Services, caller: Caller, tenant: str | None, username: str, password: str
) -> SignedIn:
    """`username` may be an e-mail address; `tenant` becomes the session's own workspace when the
    person is a member of it. Raises Unauthenticated, RateLimited."""
    name, settings = normalised_email(username), services.settings
    address = network(caller.ip_address)
    take = services.limits.take
    try:
        await take(settings.limit_sign_in_address, "sign_in_address", address)
        # The account's own comes last: what one address may not try, does not lock others out.
        await take(settings.limit_sign_in, "sign_in", name, address)
        await take(settings.limit_sign_in_account, "sign_in_account", name)
    except RateLimited:
        log.warning("sign-ins limited: request %s from %s", caller.request_id, caller.ip_address)
        raise
    async with _failures_alike(settings.sign_in_floor):
        for _ in range(2):
            opened = await _attempt(services, caller, tenant, name, password)
            if opened:
                break
        else:
            raise Unauthenticated(WRONG)
    await services.limits.reset(settings.limit_sign_in, "sign_in", name, address)
    return opened


async def _attempt(
    services: Services, caller: Caller, tenant: str | None, name: str, password: str
) -> SignedIn | None:
    """None when the password was changed, or hashed anew, while it was verified. Raises
    Unauthenticated."""
    passwords, account = services.passwords, await _account(name)
    verified = account.password_hash if account else None
    matches = await passwords.verify(password, verified)
    if account is None or verified is None or not account.is_active or not matches:
        await _record_failure(caller, account, tenant)
        raise Unauthenticated(WRONG)
    outdated = passwords.is_outdated(verified)
    password_hash = await passwords.hash(password) if outdated else verified
    async with DB.identity():
        if not await _admit(account.id, verified, password_hash):
            return None
        home = await _home(account.id, tenant)
        return await open_session(services, caller, account.id, home)


@asynccontextmanager
async def _failures_alike(floor: float) -> AsyncIterator[None]:
    """Seconds. A failure answers at the next multiple of it: whether there is such a person, how
    their password was hashed, and what is written about it, takes time that must not show."""
    loop = asyncio.get_running_loop()
    started = loop.time()
    try:
        yield
    except Unauthenticated:
        if floor:
            await asyncio.sleep(floor - (loop.time() - started) % floor)
        raise


async def _account(name: str) -> AccountRow | None:
    if UNSTORABLE.search(name):
        return None
    async with DB.identity(read_only=True):
        rows = await DB.fetch(
            AccountRow,
            """SELECT u.id, u.is_active, u.password_hash FROM users u
            WHERE u.username = $1 OR u.email = $1 ORDER BY u.username = $1 DESC LIMIT 1""",
            name,
        )
    return rows[0] if rows else None


async def _admit(user_id: UUID, verified: str, password_hash: str) -> bool:
    """Whether the password that was verified is still theirs, and they may still sign in."""
    rows = await DB.fetch(
        IdRow,
        """UPDATE users u SET last_login_at = now(), password_hash = $3
        WHERE u.id = $1 AND u.password_hash = $2 AND u.is_active RETURNING u.id""",
        user_id,
        verified,
        password_hash,
    )
    return bool(rows)


async def _home(user_id: UUID, tenant: str | None) -> UUID | None:
    """The workspace that was asked for, else the one that they joined first. Not one that they
    were only added to: anybody could make theirs somebody's."""
    asked = asked_tenant(tenant)
    rows = await DB.fetch(
        HomeRow,
        """SELECT m.tenant_id FROM memberships m JOIN tenants t ON t.id = m.tenant_id
        WHERE m.user_id = $1 AND m.is_active
        AND (m.entered_at IS NOT NULL OR t.id = $2 OR t.slug = $3)
        ORDER BY (t.id = $2 OR t.slug = $3) IS TRUE DESC, m.created_at, m.id LIMIT 1""",
        user_id,
        asked if isinstance(asked, UUID) else None,
        asked if isinstance(asked, str) else None,
    )
    return rows[0].tenant_id if rows else None


async def open_session(
    services: Services, caller: Caller, user_id: UUID, home: UUID | None
) -> SignedIn:
    """In the caller's identity scope."""
    settings = services.settings
    expires_at = now() + timedelta(seconds=settings.session_seconds)
    (session,) = await DB.fetch(
        IdRow,
        """INSERT INTO sessions (user_id, home_tenant_id, user_agent, ip_address, expires_at)
        VALUES ($1, $2, $3, $4, $5) RETURNING id""",
        user_id,
        home,
        caller.user_agent and UNSTORABLE.sub("", caller.user_agent)[:LONGEST_USER_AGENT],
        caller.ip_address,
        expires_at,
    )
    refresh_token = new_refresh_token()
    await DB.execute(
        "INSERT INTO refresh_tokens (session_id, token_hash, expires_at) VALUES ($1, $2, $3)",
        session.id,
        fingerprint(refresh_token),
        expires_at,
    )
    if home is not None:
        await record(home, user_id, caller, "session.signed_in", ("Session", session.id))
    return signed_in(services, Identity(user_id, session.id), refresh_token)


def signed_in(services: Services, identity: Identity, refresh_token: str) -> SignedIn:
    lifetime = timedelta(seconds=services.settings.access_token_seconds)
    token = services.tokens.sign(identity.user_id, identity.session_id, expires_in=lifetime)
    return SignedIn(identity, token, refresh_token, now() + lifetime)


async def _record_failure(caller: Caller, account: AccountRow | None, tenant: str | None) -> None:
    """In the person's own workspace; of nobody there is none to record it in."""
    log.warning("sign-in failed: request %s from %s", caller.request_id, caller.ip_address)
    if account is None:
        return
    async with DB.identity():
        home = await _home(account.id, tenant)
        if home is not None:
            await record(
                home,
                None,  # nobody knows who it was
                caller,
                "session.sign_in_failed",
                ("User", account.id),
                reason="password" if account.is_active else "disabled",
            )

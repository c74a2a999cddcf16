"""Who asks, and in which workspace: from the cache while it is known to be true, else from the
database.

Entries: `sess:<session>` is [user, home workspace, when it expires]; `user:<user>` says that the
person is active; `member:<workspace>:<user>` is [workspace, role], the workspace by slug or id as
it was asked for. That somebody is nobody is never cached.
"""

import re
import time
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from core.cache import Cache
from core.errors import Unauthenticated
from core.time import now, since_epoch
from core.viewer import Identity, TenantRole, Viewer
from resolvers.invalidation import Invalidations
from resolvers.session import LIVE, make_home
from tables.engine import DB, Row

UUID_FORM = re.compile("[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}", re.IGNORECASE)
LONGEST = 100
"""Characters: no slug has as many, nor has a UUID."""

NO_SLUG = "-"
REMEMBERED = 10_000
"""What a request says of who asks is much the same each time: as much of it is read once."""

Tenant = UUID | str | None
"""A workspace as it is asked for: by id, by slug, or the session's own."""


class EntryRow(Row):
    home_tenant_id: UUID | None
    expires_at: datetime
    tenant_id: UUID | None
    role: str
    """Of a member."""

    entered_at: datetime | None


class LatestRow(EntryRow):
    session_id: UUID
    user_id: UUID


class Authentication:
    def __init__(self, cache: Cache, invalidations: Invalidations) -> None:
        self.cache = cache
        self.invalidations = invalidations

    async def authenticate(
        self, identity: Identity, tenant: str | None, *, anew: bool = False
    ) -> Identity:
        """A Viewer when the person is an active member of the workspace: `tenant` is its slug or
        id, None means the session's own. Else their Identity alone: no such workspace and not a
        member are one answer. `anew`: the cache is not asked. Raises Unauthenticated when the
        session or the person is no more."""
        asked = asked_tenant(tenant)
        cached = None if anew else await self._cached(identity, asked)
        return cached or await self._read(identity, asked)

    async def warm_up(self, sessions: int) -> None:
        """Caches the sessions that were used last, each in its own workspace."""
        if not sessions:
            return
        read_since = time.monotonic()
        async with DB.identity(read_only=True):
            rows = await DB.fetch(
                LatestRow,
                f"""SELECT s.id AS session_id, s.user_id, s.home_tenant_id, s.expires_at,
                m.tenant_id, m.role FROM sessions s
                JOIN users u ON u.id = s.user_id AND u.is_active
                LEFT JOIN memberships m ON m.tenant_id = s.home_tenant_id AND m.user_id = u.id
                    AND m.is_active AND m.entered_at IS NOT NULL
                WHERE {LIVE} ORDER BY s.last_activity_at DESC LIMIT $1""",
                sessions,
            )
        for row in rows:
            await self._keep(Identity(row.user_id, row.session_id), None, row, read_since)

    async def _cached(self, identity: Identity, asked: Tenant) -> Viewer | None:
        if not self.invalidations.are_current():
            return None
        user_id, *keys = _keys(identity, asked)
        entries: list[Any] = await self.cache.get(*keys)
        session, user, *members = entries
        if not session or not user:
            return None
        session_user, home, expires_at = session
        if session_user != user_id or expires_at <= since_epoch(now()):
            return None
        if home and not asked:
            members = await self.cache.get(f"member:{home}:{user_id}")
        if not any(members):
            return None
        ((tenant_id, role),) = members
        return _viewer(identity, tenant_id, role)

    async def _read(self, identity: Identity, asked: Tenant) -> Identity:
        condition, parameters = _named(asked)
        read_since = time.monotonic()
        async with DB.identity(read_only=True):
            rows = await DB.fetch(
                EntryRow,
                f"""SELECT s.home_tenant_id, s.expires_at, m.tenant_id, m.role, m.entered_at
                FROM sessions s JOIN users u ON u.id = s.user_id AND u.is_active
                LEFT JOIN tenants t ON {condition}
                LEFT JOIN memberships m ON m.tenant_id = t.id AND m.user_id = u.id AND m.is_active
                WHERE s.id = $1 AND s.user_id = $2 AND {LIVE}""",
                identity.session_id,
                identity.user_id,
                *parameters,
            )
        if not rows:
            raise Unauthenticated("Sign in again.")
        tenant_id = rows[0].tenant_id
        if tenant_id is not None and rows[0].entered_at is None:
            await _enter(identity, tenant_id)
        await self._keep(identity, asked, rows[0], read_since)
        if tenant_id is None:
            return identity
        return _viewer(identity, str(tenant_id), rows[0].role)

    async def _keep(
        self, identity: Identity, asked: Tenant, entry: EntryRow, read_since: float
    ) -> None:
        home = entry.home_tenant_id and str(entry.home_tenant_id)
        known: dict[str, object] = {
            f"sess:{identity.session_id}": [
                str(identity.user_id),
                home,
                since_epoch(entry.expires_at),
            ],
            f"user:{identity.user_id}": True,
        }
        if entry.tenant_id:
            member = f"member:{asked or home}:{identity.user_id}"
            known[member] = [str(entry.tenant_id), entry.role]
        if self.invalidations.may_keep(known, read_since):
            await self.cache.set(known)


async def _enter(identity: Identity, tenant_id: UUID) -> None:
    """They have come in: from now on the workspace's admins see more of them, and it is their
    session's own if that had none."""
    async with DB.identity():
        await DB.execute(
            """UPDATE memberships m SET entered_at = now()
            WHERE m.tenant_id = $1 AND m.user_id = $2 AND m.entered_at IS NULL""",
            tenant_id,
            identity.user_id,
        )
        await make_home(identity, tenant_id)


def asked_tenant(text: str | None) -> Tenant:
    if text is None:
        return None
    return _asked(text) if len(text) <= LONGEST else NO_SLUG


@lru_cache(REMEMBERED)
def _asked(text: str) -> UUID | str:
    if UUID_FORM.fullmatch(text):
        return UUID(text)
    # What PostgreSQL cannot hold is the slug of none, rather than an error of its own.
    return text if text.isascii() and text.isprintable() and text else NO_SLUG


def _named(asked: Tenant) -> tuple[str, tuple[object, ...]]:
    if asked is None:
        return "t.id = s.home_tenant_id", ()
    return ("t.id = $3" if isinstance(asked, UUID) else "t.slug = $3"), (asked,)


@lru_cache(REMEMBERED)
def _viewer(identity: Identity, tenant_id: str, role: str) -> Viewer:
    return Viewer(identity.user_id, identity.session_id, UUID(tenant_id), TenantRole(role))


@lru_cache(REMEMBERED)
def _keys(identity: Identity, asked: Tenant) -> tuple[str, ...]:
    """The person's id, and the entries that are asked for together."""
    user_id = str(identity.user_id)
    keys = (user_id, f"sess:{identity.session_id}", f"user:{user_id}")
    return (*keys, f"member:{asked}:{user_id}") if asked else keys

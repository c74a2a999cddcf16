"""One's own account: making it, its profile, its password."""

from uuid import UUID

import asyncpg

from core.errors import BadInput, Conflict
from core.rate_limit import network
from core.viewer import Caller, Identity
from resolvers.audit_event import record
from resolvers.services import Services
from resolvers.session_ending import end_sessions
from resolvers.session_opening import SignedIn, open_session
from resolvers.tenant_management import add_tenant
from resolvers.user import UserRow, own_users_by_id
from resolvers.validation import Email, Input, Name, OptionalName, Username, validated
from tables.engine import DB, IdRow, Row


class SignUp(Input):
    username: Username
    email: Email
    full_name: OptionalName = None
    tenant_name: Name | None = None


class Profile(Input):
    full_name: OptionalName = None
    email: Email = ""


class TakenRow(Row):
    username: bool
    email: bool


class AccountRow(Row):
    username: str
    email: str | None
    password_hash: str | None
    home_tenant_id: UUID | None


async def sign_up(
    services: Services,
    caller: Caller,
    *,
    username: str,
    email: str,
    password: str,
    full_name: str | None = None,
    tenant_name: str | None = None,
) -> SignedIn:
    """With `tenant_name` also a workspace, which they own. Raises BadInput, Conflict,
    RateLimited."""
    limit, address = services.settings.limit_sign_up_address, network(caller.ip_address)
    await services.limits.take(limit, "sign_up_address", address)
    person = validated(
        SignUp, username=username, email=email, full_name=full_name, tenant_name=tenant_name
    )
    await services.passwords.check_strength(password, person.username, person.email)
    password_hash = await services.passwords.hash(password)
    async with DB.identity():
        user_id = await _add_user(person, password_hash)
        tenant_id = None
        if person.tenant_name is not None:
            tenant_id = await add_tenant(user_id, caller, person.tenant_name)
        return await open_session(services, caller, user_id, tenant_id)


async def _add_user(person: SignUp, password_hash: str) -> UUID:
    rows = await DB.fetch(
        IdRow,
        """INSERT INTO users (username, email, full_name, password_hash)
        VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING RETURNING id""",
        person.username,
        person.email,
        person.full_name,
        password_hash,
    )
    if rows:
        return rows[0].id
    (taken,) = await DB.fetch(
        TakenRow,
        """SELECT EXISTS (SELECT FROM users u WHERE u.username = $1) AS username,
        EXISTS (SELECT FROM users u WHERE u.email = $2) AS email""",
        person.username,
        person.email,
    )
    name, field = ("username", "username") if taken.username else ("e-mail address", "email")
    raise Conflict(f"The {name} is taken.", (field,))


async def update_profile(
    services: Services, identity: Identity, caller: Caller, **changes: str | None
) -> UserRow:
    """Changes what is given: `full_name`, which may be None, and `email`. Raises BadInput,
    Conflict, RateLimited."""
    profile = validated(Profile, **changes)
    if "email" in changes:  # else it could be asked, without end, who has an account
        limit = services.settings.limit_change_email
        await services.limits.take(limit, "change_email", str(identity.user_id))
    try:
        async with DB.identity():
            before = await _account(identity)
            await DB.execute(
                """UPDATE users u SET full_name = CASE WHEN $2 THEN $3 ELSE u.full_name END,
                email = CASE WHEN $4 THEN $5 ELSE u.email END WHERE u.id = $1""",
                identity.user_id,
                "full_name" in changes,
                profile.full_name,
                "email" in changes,
                profile.email,
            )
            if "email" in changes and profile.email != before.email:
                await _record(before, identity, caller, "user.email_changed")
            (user,) = await own_users_by_id(identity, [identity.user_id])
    except asyncpg.UniqueViolationError:
        raise Conflict("The e-mail address is taken.", ("email",)) from None
    assert user is not None  # a session has its user
    return user


async def change_password(
    services: Services, identity: Identity, caller: Caller, current: str, new: str
) -> None:
    """Ends one's other sessions. Raises BadInput, RateLimited."""
    limit = services.settings.limit_sign_in
    await services.limits.take(limit, "change_password", str(identity.user_id))
    async with DB.identity(read_only=True):
        account = await _account(identity)
    verified = account.password_hash
    if not await services.passwords.verify(current, verified):
        raise BadInput("Is not your password.", ("currentPassword",))
    await services.passwords.check_strength(
        new, account.username, account.email or "", field="newPassword"
    )
    password_hash = await services.passwords.hash(new)
    async with DB.identity():
        changed = await DB.execute(
            "UPDATE users u SET password_hash = $3 WHERE u.id = $1 AND u.password_hash = $2",
            identity.user_id,
            verified,
            password_hash,
        )
        if changed != "UPDATE 1":
            raise Conflict("The password was changed by somebody else just now.")
        await _record(account, identity, caller, "user.password_changed")
        await end_sessions(identity, caller, "session.revoked", but=identity.session_id)
    await services.limits.reset(limit, "change_password", str(identity.user_id))
    await services.invalidations.forget_now()


async def _account(identity: Identity) -> AccountRow:
    """In the caller's identity scope."""
    (account,) = await DB.fetch(
        AccountRow,
        """SELECT u.username, u.email, u.password_hash, s.home_tenant_id FROM users u
        JOIN sessions s ON s.user_id = $1 AND s.id = $2 WHERE u.id = $1""",
        identity.user_id,
        identity.session_id,
    )
    return account


async def _record(account: AccountRow, identity: Identity, caller: Caller, action: str) -> None:
    """In the session's own workspace. What it was changed from and to is nobody's business."""
    if account.home_tenant_id is not None:
        user_id = identity.user_id
        await record(account.home_tenant_id, user_id, caller, action, ("User", user_id))

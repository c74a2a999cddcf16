"""Who is signed out, disabled or removed is refused by every process within two seconds, for ever.
At once where it was asked for."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest

from schema.node import global_id
from tests.graph import Client, Person
from tests.schema.signing_in import HASH, PASSWORD
from tests.server.pair import (
    ACCEPTED,
    FORBIDDEN,
    PROMISED,
    REVOKE,
    UNAUTHENTICATED,
    WHO,
    Pair,
    answers,
    pair,
    servers,
    slowest,
)
from tests.server.processes import TOKENS, Server

__all__ = ["pair", "servers"]

pytestmark = pytest.mark.asyncio(loop_scope="module")

MEMBERS_ONLY = "{ users(first: 1) { totalCount } }"
ADMINS_ONLY = "{ auditEvents(first: 1) { totalCount } }"
TOLD = "refreshToken"


@dataclass(frozen=True)
class SignedIn:
    """Twice, from here and from elsewhere. What they do, they do at A."""

    pair: Pair
    person: Person
    here: Client
    elsewhere: Client
    session_id: UUID
    refresh_token: str

    async def execute(self, sql: str) -> None:
        await self.pair.cast.connection.execute(sql, self.person.id)


async def sign_out(who: SignedIn) -> None:
    await done(who.here, "signOut")


async def sign_out_everywhere(who: SignedIn) -> None:
    await done(who.elsewhere, "signOutEverywhere")


async def revoke_session(who: SignedIn) -> None:
    await done(who.elsewhere, "revokeSession", id=global_id("Session", who.session_id))


async def change_password(who: SignedIn) -> None:
    new = "a horse that is correct"
    await done(who.elsewhere, "changePassword", currentPassword=PASSWORD, newPassword=new)


async def reuse_a_refresh_token(who: SignedIn) -> None:
    stolen = token = who.refresh_token
    for _ in range(2):
        payload = await who.here.mutate("refreshSession", TOLD, refreshToken=token)
        assert payload["errors"] == []
        token = payload[TOLD]
    codes = await Client(who.here.http).refused("refreshSession", refreshToken=stolen)
    assert codes == [("UNAUTHENTICATED", None)]


async def done(client: Client, mutation: str, **input: Any) -> None:
    assert (await client.mutate(mutation, "success", **input)) == {"errors": [], "success": True}


RULES = [sign_out, sign_out_everywhere, revoke_session, change_password, reuse_a_refresh_token]
STATEMENTS = {
    "revoked": REVOKE,
    "expired": "UPDATE sessions SET expires_at = now() WHERE user_id = $1",
    "session deleted": "DELETE FROM sessions WHERE user_id = $1",
    "disabled": "UPDATE users SET is_active = false WHERE id = $1",
    "user deleted": "DELETE FROM users WHERE id = $1",
}


async def sign_in(server: Server, person: Person) -> Any:
    payload = await server.client().mutate(
        "signIn", f"accessToken {TOLD}", username=person.username, password=PASSWORD
    )
    assert payload["errors"] == []
    return payload


async def signed_in(pair: Pair) -> tuple[SignedIn, Client, Client]:
    """And the clients at A and at B, which both know them."""
    tenant, _ = await pair.tenant()
    person = await pair.member(tenant, password_hash=HASH)
    first, second = [await sign_in(pair.a, person) for _ in range(2)]
    token = first["accessToken"]
    at_a, at_b = pair.a.by(token), pair.b.by(token)
    await pair.cache(person, [at_a, at_b])
    elsewhere = pair.a.by(second["accessToken"])
    session_id = TOKENS.verify(token).identity.session_id
    return SignedIn(pair, person, at_a, elsewhere, session_id, first[TOLD]), at_a, at_b


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
async def test_a_session_that_ends(pair: Pair, rule: Callable[[SignedIn], Awaitable[None]]) -> None:
    who, at_a, at_b = await signed_in(pair)
    began = time.monotonic()
    await rule(who)
    assert await at_a.codes(WHO) == UNAUTHENTICATED, "at once"
    assert await slowest([at_a, at_b], UNAUTHENTICATED, since=began) < PROMISED


@pytest.mark.parametrize("what", STATEMENTS)
async def test_a_session_that_a_statement_ends(pair: Pair, what: str) -> None:
    who, at_a, at_b = await signed_in(pair)
    began = time.monotonic()
    await who.execute(STATEMENTS[what])
    assert await slowest([at_a, at_b], UNAUTHENTICATED, since=began) < PROMISED


async def test_other_sessions_go_on(pair: Pair) -> None:
    who, at_a, at_b = await signed_in(pair)
    await revoke_session(who)
    await slowest([at_a, at_b], UNAUTHENTICATED, since=time.monotonic())
    assert await who.elsewhere.codes(WHO) == ACCEPTED


@dataclass(frozen=True)
class Member:
    """An admin of a workspace that `owner` owns, asking at A."""

    pair: Pair
    tenant: UUID
    person: Person
    here: Client
    owner: Client

    @property
    def key(self) -> str:
        return global_id("User", self.person.id)

    async def execute(self, sql: str) -> None:
        await self.pair.cast.connection.execute(sql, self.tenant)


async def be_removed(who: Member) -> None:
    assert await who.owner.refused("removeMember", userId=who.key) == []


async def leave(who: Member) -> None:
    assert await who.here.refused("removeMember", userId=who.key) == []


async def be_demoted(who: Member) -> None:
    assert await who.owner.refused("changeMemberRole", userId=who.key, role="MEMBER") == []


MemberRule = Callable[[Member], Awaitable[None]]
MEMBER_RULES: dict[MemberRule, str] = {
    be_removed: MEMBERS_ONLY,
    leave: MEMBERS_ONLY,
    be_demoted: ADMINS_ONLY,
}
MEMBER_STATEMENTS = {
    "inactive": "UPDATE memberships SET is_active = false WHERE tenant_id = $1",
    "demoted": "UPDATE memberships SET role = 'MEMBER' WHERE tenant_id = $1",
    "deleted": "DELETE FROM memberships WHERE tenant_id = $1",
    "tenant deleted": "DELETE FROM tenants WHERE id = $1",
}


async def member(pair: Pair, query: str) -> tuple[Member, list[Client], list[Client]]:
    """And their clients at A and at B, all of which know them: the workspace is asked for by slug,
    by id, and as the session's own."""
    tenant, slug = await pair.tenant()
    person, owner = await pair.member(tenant, "ADMIN"), await pair.member(tenant, "OWNER")
    names = (slug, str(tenant), None)
    at_a, at_b = ([server.signed_in(person, name) for name in names] for server in (pair.a, pair.b))
    await pair.cache(person, [*at_a, *at_b], query)
    return Member(pair, tenant, person, at_a[0], pair.a.signed_in(owner)), at_a, at_b


@pytest.mark.parametrize("rule", MEMBER_RULES, ids=lambda rule: rule.__name__)
async def test_a_membership_that_changes(pair: Pair, rule: MemberRule) -> None:
    query = MEMBER_RULES[rule]
    who, at_a, at_b = await member(pair, query)
    began = time.monotonic()
    await rule(who)
    assert await answers(at_a, query) == [FORBIDDEN] * len(at_a), "at once"
    assert await slowest([*at_a, *at_b], FORBIDDEN, query, since=began) < PROMISED
    assert await answers([*at_a, *at_b]) == [ACCEPTED] * 6, "they are still signed in"


@pytest.mark.parametrize("what", MEMBER_STATEMENTS)
async def test_a_membership_that_a_statement_changes(pair: Pair, what: str) -> None:
    query = ADMINS_ONLY if what == "demoted" else MEMBERS_ONLY
    who, at_a, at_b = await member(pair, query)
    began = time.monotonic()
    await who.execute(MEMBER_STATEMENTS[what])
    assert await slowest([*at_a, *at_b], FORBIDDEN, query, since=began) < PROMISED


async def test_a_slug_that_becomes_anothers(pair: Pair) -> None:
    who, (at_a, *_), (at_b, *_) = await member(pair, MEMBERS_ONLY)
    slug = at_a.headers["X-Tenant"]
    began = time.monotonic()
    await who.execute("UPDATE tenants SET slug = slug || '-before' WHERE id = $1")
    await pair.cast.tenant(slug)
    assert await slowest([at_a, at_b], FORBIDDEN, MEMBERS_ONLY, since=began) < PROMISED

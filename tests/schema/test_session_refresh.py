"""Exchanging refresh tokens: by one tab, by many at once, and by whoever should not."""

import asyncio
import base64
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import jwt
import pytest

from core.settings import Settings
from tests.graph import Client, asking
from tests.schema.signing_in import PASSWORD, TOKENS, WHO, bearing, give_password, sign_in
from tests.schema.workspace import Workspace, gid

ME = "{ viewer { user { username } } }"
BOB = {"viewer": {"user": {"username": "bob"}}}
NEW_PASSWORD = "four other unlike words"
UNLIMITED = Settings(
    environment="test", sign_in_floor=0, limit_refresh_session=None, limit_refresh_address=None
)
REFUSED = {
    "errors": [
        {
            "code": "UNAUTHENTICATED",
            "message": "The refresh token is not valid: sign in again.",
            "field": None,
        }
    ],
    **dict.fromkeys(("accessToken", "refreshToken", "expiresAt", "viewer")),
}


@pytest.fixture
async def opened(acme: Workspace) -> Any:
    """What bob was given when he signed in."""
    await give_password(acme, "bob")
    return await sign_in(acme.client, "bob")


async def _ask(client: Client, token: str) -> Any:
    return await client.mutate("refreshSession", f"{TOKENS} {WHO}", refreshToken=token)


async def _refresh(client: Client, token: str) -> Any:
    """The payload of one that succeeds."""
    payload = await _ask(client, token)
    assert payload["errors"] == []
    return payload


async def _is_refused(client: Client, token: str) -> bool:
    return bool(await _ask(client, token) == REFUSED)


def _claims(payload: Any) -> dict[str, Any]:
    return jwt.decode(payload["accessToken"], options={"verify_signature": False})


def _session(payload: Any) -> UUID:
    return UUID(_claims(payload)["sid"])


async def _rows(acme: Workspace, payload: Any) -> list[asyncpg.Record]:
    return await acme.cast.connection.fetch(
        "SELECT * FROM refresh_tokens WHERE session_id = $1", _session(payload)
    )


async def _chain(acme: Workspace, payload: Any) -> int:
    """Its length: one token is unused, and all the others led to it."""
    rows = {row["id"]: row for row in await _rows(acme, payload)}
    (link,) = [row for row in rows.values() if row["used_at"] is None]
    length = 1
    while link["parent_id"] is not None:
        link = rows[link["parent_id"]]
        length += 1
    assert length == len(rows)
    return length


async def _everything(acme: Workspace) -> list[asyncpg.Record]:
    fetch = acme.cast.connection.fetch
    tables = ("sessions", "refresh_tokens", "audit_events")
    return [row for table in tables for row in await fetch(f"SELECT * FROM {table} ORDER BY id")]


async def _expiry(acme: Workspace, payload: Any) -> datetime:
    at = await acme.cast.connection.fetchval(
        "SELECT expires_at FROM sessions WHERE id = $1", _session(payload)
    )
    assert isinstance(at, datetime)
    return at


async def test_each_token_is_exchanged_for_the_next(acme: Workspace, opened: Any) -> None:
    payloads, expiries = [opened], [await _expiry(acme, opened)]
    for _ in range(4):
        payload = await _refresh(acme.client, payloads[-1]["refreshToken"])
        assert payload["viewer"] == {"user": {"username": "bob"}, "membership": {"role": "MEMBER"}}
        assert _session(payload) == _session(opened)
        assert await bearing(acme.client, payload).ask(ME) == BOB
        expires_at = datetime.fromisoformat(payload["expiresAt"]).timestamp()
        assert _claims(payload)["exp"] == pytest.approx(expires_at, abs=2)
        payloads.append(payload)
        expiries.append(await _expiry(acme, opened))
    assert expiries == sorted(set(expiries))
    assert timedelta(days=29) < expiries[-1] - datetime.now(UTC) <= timedelta(days=30)
    for name in ("refreshToken", "accessToken"):
        assert len({payload[name] for payload in payloads}) == 5
    assert await _chain(acme, opened) == 5
    assert await bearing(acme.client, opened).ask(ME) == BOB, "until it expires"


async def test_fifty_tabs_refresh_at_once(acme: Workspace, opened: Any) -> None:
    """Of two processes, again and again: one chain, and all stay signed in."""
    token = opened["refreshToken"]
    async with asking(UNLIMITED) as one, asking(UNLIMITED) as other:
        for times in range(1, 6):
            payloads = await asyncio.gather(
                *(_refresh(client, token) for _ in range(25) for client in (one, other))
            )
            (token,) = {payload["refreshToken"] for payload in payloads}
            assert await _chain(acme, opened) == times + 1
            assert await bearing(one, payloads[0]).ask(ME) == BOB
            assert await bearing(other, payloads[-1]).ask(ME) == BOB
        await _refresh(one, token)


async def test_an_answer_that_was_lost_is_given_again(acme: Workspace, opened: Any) -> None:
    first = await _refresh(acme.client, opened["refreshToken"])
    again = await _refresh(acme.client, opened["refreshToken"])
    assert again["refreshToken"] == first["refreshToken"]
    assert await _chain(acme, opened) == 2
    second = await _refresh(acme.client, again["refreshToken"])
    assert (await _refresh(acme.client, first["refreshToken"]))["refreshToken"] == second[
        "refreshToken"
    ]
    assert await bearing(acme.client, first).ask(ME) == BOB


async def test_sessions_do_not_meet(acme: Workspace, opened: Any) -> None:
    """Whosever access token is attached, the refresh token says whose session it is."""
    other = await sign_in(acme.client, "bob")
    before = await _rows(acme, other)
    for client in (bearing(acme.client, other), acme.by("ada")):
        payload = await _refresh(client, opened["refreshToken"])
        assert _session(payload) == _session(opened)
        assert payload["viewer"]["user"] == {"username": "bob"}
    assert await _rows(acme, other) == before
    await _refresh(acme.client, other["refreshToken"])


async def test_what_was_never_given_out(acme: Workspace, opened: Any) -> None:
    token = opened["refreshToken"]
    (row,) = await _rows(acme, opened)
    hash: bytes = row["token_hash"]
    before = await _everything(acme)
    for text in (
        *("", " ", "garbage", "x" * 43, "A" * 900_000, "\0", "\0" * 32, "é" * 43, "\U0001f600"),
        *("null", "../../etc", "' OR true --", str(row["id"]), str(_session(opened))),
        *(f"{token}\0", f" {token}", f"{token}\n", f"{token}=", f"{token}A", token[:-1]),
        *(token.swapcase(), token + "A" * 300, opened["accessToken"]),
        *(hash.hex(), f"\\x{hash.hex()}", hash.decode("latin-1")),
        *(base64.urlsafe_b64encode(hash).decode().rstrip("="), base64.b64encode(hash).decode()),
    ):
        assert await _is_refused(acme.client, text), text[:80]
    assert (await acme.client.post("x" * 1_000_000)).status_code == 413
    assert await _everything(acme) == before
    await _refresh(acme.client, token)


async def test_a_refresh_token_is_no_access_token(acme: Workspace, opened: Any) -> None:
    client = bearing(acme.client, {"accessToken": opened["refreshToken"]})
    assert await client.codes(ME) == ["UNAUTHENTICATED"]


async def test_the_database_holds_no_token(acme: Workspace, opened: Any) -> None:
    payload = await _refresh(acme.client, opened["refreshToken"])
    kept = ""
    for table in ("refresh_tokens", "sessions", "users", "audit_events", "cache_invalidations"):
        rows = await acme.cast.connection.fetch(f"SELECT to_jsonb(t)::text FROM {table} t")
        kept += "".join(row["to_jsonb"] for row in rows)
    assert str(_session(opened)) in kept
    for token in (opened["refreshToken"], payload["refreshToken"]):
        for form in (token, token.encode().hex(), base64.urlsafe_b64decode(f"{token}=").hex()):
            assert form not in kept


async def _end(acme: Workspace, how: str, opened: Any, other: Any) -> None:
    """bob's first session; the other one is his too."""
    id = gid("Session", _session(opened))
    here, elsewhere = bearing(acme.client, opened), bearing(acme.client, other)
    match how:
        case "signOut" | "signOutEverywhere":
            payload = await here.mutate(how)
        case "revokeSession":
            payload = await elsewhere.mutate(how, id=id)
        case "changePassword":
            payload = await elsewhere.mutate(
                how, currentPassword=PASSWORD, newPassword=NEW_PASSWORD
            )
        case sql:
            await acme.cast.connection.execute(sql)
            return
    assert payload["errors"] == []


@pytest.mark.parametrize(
    "how",
    [
        "signOut",
        "signOutEverywhere",
        "revokeSession",
        "changePassword",
        "UPDATE users SET is_active = false",
        "DELETE FROM users WHERE username = 'bob'",
        "UPDATE sessions SET expires_at = now()",
        "UPDATE refresh_tokens SET expires_at = now()",
    ],
)
async def test_a_session_that_ended_is_not_refreshed(
    acme: Workspace, opened: Any, how: str
) -> None:
    """The token that was exchanged, too; and nothing of it counts as theft."""
    other = await sign_in(acme.client, "bob")
    payload = await _refresh(acme.client, opened["refreshToken"])
    await _end(acme, how, payload, other)
    before = await _everything(acme)
    for token in (payload["refreshToken"], opened["refreshToken"], payload["refreshToken"]):
        assert await _is_refused(acme.client, token)
    assert await _everything(acme) == before
    if how in {"signOut", "revokeSession", "changePassword"}:
        await _refresh(acme.client, other["refreshToken"])


async def test_expired_tokens_are_pruned(acme: Workspace, opened: Any) -> None:
    payload = await _refresh(acme.client, opened["refreshToken"])
    await acme.cast.connection.execute(
        "UPDATE refresh_tokens SET expires_at = now() WHERE used_at IS NOT NULL"
    )
    await _refresh(acme.client, payload["refreshToken"])
    rows = await _rows(acme, opened)
    assert sorted(row["used_at"] is None for row in rows) == [False, True]


async def test_a_storm(acme: Workspace, opened: Any) -> None:
    """Tabs of five sessions refresh while others sign out everywhere: nobody waits for somebody who
    waits for them, and whoever signed out stays so."""
    for _ in range(3):
        payloads = [await sign_in(acme.client, "bob") for _ in range(5)]
        asked = [_ask(acme.client, each["refreshToken"]) for each in payloads * 6]
        for place, each in enumerate(payloads[:3]):
            client = bearing(acme.client, each)
            asked.insert(6 + 9 * place, client.mutate("signOutEverywhere"))
        answers = await asyncio.gather(*asked)
        assert {error["code"] for each in answers for error in each["errors"]} <= {
            "UNAUTHENTICATED"
        }
        newest = {each["refreshToken"] for each in answers if each.get("refreshToken")}
        for token in newest | {each["refreshToken"] for each in payloads}:
            assert await _is_refused(acme.client, token)

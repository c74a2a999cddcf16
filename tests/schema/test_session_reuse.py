"""A refresh token that somebody else used already: it was stolen, from them or by them."""

import asyncio
import logging
from itertools import combinations
from typing import Any
from uuid import UUID

import jwt
import pytest

from core.settings import Settings
from tests.graph import Client, asking
from tests.schema.signing_in import bearing, give_password, sign_in
from tests.schema.workspace import Workspace, gid

ME = "{ viewer { user { username } } }"
BOB = {"viewer": {"user": {"username": "bob"}}}
PATIENT = Settings(environment="test", sign_in_floor=0)
HASTY = Settings(environment="test", sign_in_floor=0, refresh_grace_seconds=0.001)
EVENTS = """{ auditEvents(first: 9, filter: {action: "session.refresh_token_reused"}) {
    nodes { actor { username } targetId details ipAddress requestId } } }"""


@pytest.fixture
async def opened(acme: Workspace) -> Any:
    """What bob was given when he signed in."""
    await give_password(acme, "bob")
    return await sign_in(acme.client, "bob")


async def _refresh(client: Client, token: str) -> Any:
    """The payload, or None."""
    payload = await client.mutate("refreshSession", "accessToken refreshToken", refreshToken=token)
    if payload["errors"]:
        assert [error["code"] for error in payload["errors"]] == ["UNAUTHENTICATED"]
        assert payload["accessToken"] is payload["refreshToken"] is None
        return None
    return payload


async def _exchange(client: Client, payload: Any, times: int) -> list[Any]:
    payloads = [payload]
    for _ in range(times):
        payloads.append(await _refresh(client, payloads[-1]["refreshToken"]))
    return payloads


def _session(payload: Any) -> UUID:
    claims = jwt.decode(payload["accessToken"], options={"verify_signature": False})
    return UUID(claims["sid"])


async def _usable(acme: Workspace, payload: Any) -> int:
    """How many tokens of the session would be exchanged for a new one."""
    found: int = await acme.cast.connection.fetchval(
        "SELECT count(*) FROM refresh_tokens r JOIN sessions s ON s.id = r.session_id"
        " WHERE s.id = $1 AND r.used_at IS NULL AND s.revoked_at IS NULL",
        _session(payload),
    )
    return found


async def _events(acme: Workspace) -> list[Any]:
    nodes: list[Any] = (await acme.by("root").ask(EVENTS))["auditEvents"]["nodes"]
    return nodes


@pytest.mark.parametrize(
    ("settings", "exchanges", "shown"),
    [(HASTY, 1, 0), (PATIENT, 2, 0), (PATIENT, 3, 1), (PATIENT, 4, 0), (HASTY, 4, 3)],
    ids=["late parent", "grandparent", "later grandparent", "root", "later late parent"],
)
async def test_reuse_ends_the_session(
    acme: Workspace,
    opened: Any,
    settings: Settings,
    exchanges: int,
    shown: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    other = await sign_in(acme.client, "bob")
    async with asking(settings) as client:
        payloads = await _exchange(client, opened, exchanges)
        assert await bearing(client, payloads[-1]).ask(ME) == BOB
        await asyncio.sleep(0.01)
        thief = Client(client.http, {"X-Request-Id": "thief-1"})
        with caplog.at_level(logging.WARNING):
            assert await _refresh(thief, payloads[shown]["refreshToken"]) is None
        for each in payloads:
            assert await bearing(client, each).codes(ME) == ["UNAUTHENTICATED"]
            assert await _refresh(client, each["refreshToken"]) is None
        assert await _refresh(client, other["refreshToken"]), "of another sign-in"
        assert await bearing(client, other).ask(ME) == BOB
    assert await _events(acme) == [
        {
            "actor": None,
            "targetId": gid("User", acme.user("bob")),
            "details": {"session": str(_session(opened))},
            "ipAddress": "127.0.0.1",
            "requestId": "thief-1",
        }
    ]
    (line,) = [line for line in caplog.messages if "reused" in line]
    assert "thief-1" in line
    assert str(_session(opened)) in line


async def test_reuse_is_recorded_once(acme: Workspace, opened: Any) -> None:
    await _exchange(acme.client, opened, 2)
    shown = [_refresh(acme.client, opened["refreshToken"]) for _ in range(20)]
    assert await asyncio.gather(*shown) == [None] * 20
    assert len(await _events(acme)) == 1


async def test_a_session_of_no_workspace_ends_too(acme: Workspace, opened: Any) -> None:
    await acme.cast.connection.execute("UPDATE sessions SET home_tenant_id = NULL")
    *_, newest = await _exchange(acme.client, opened, 2)
    assert await _refresh(acme.client, opened["refreshToken"]) is None
    assert await bearing(acme.client, newest).codes(ME) == ["UNAUTHENTICATED"]
    assert await _events(acme) == []


def _interleavings(turns: int) -> list[str]:
    """Of two parties. That the first takes the first turn tells them apart."""
    places = range(1, 2 * turns)
    return [
        "".join("A" if n == 0 or n in chosen else "B" for n in range(2 * turns))
        for chosen in combinations(places, turns - 1)
    ]


async def _play(acme: Workspace, client: Client, turns: str, slack: int) -> None:
    """Both hold the same token, then refresh in turns. Generations tell what must come of it: one
    may lag behind the newest by `slack`."""
    opened = await sign_in(client, "bob")
    held, newest = dict.fromkeys("AB", (opened["refreshToken"], 0)), 0
    for who in turns:
        token, generation = held[who]
        await asyncio.sleep(0.002)
        payload = await _refresh(client, token)
        if generation < newest - slack:
            assert payload is None
            assert await _usable(acme, opened) == 0
            return
        newest = max(newest, generation + 1)
        held[who] = (payload["refreshToken"], newest)
        assert await _usable(acme, opened) == 1
    assert slack, "without a grace, one of them was found out"


@pytest.mark.parametrize(("settings", "slack"), [(PATIENT, 1), (HASTY, 0)])
async def test_a_thief_and_the_owner_in_turns(
    acme: Workspace, opened: Any, settings: Settings, slack: int
) -> None:
    """Never do both go on with chains of their own. Only who keeps within the grace of each
    exchange of the other is not found out."""
    async with asking(settings) as client:
        for turns in _interleavings(3):
            await _play(acme, client, turns, slack)


async def test_a_thief_and_the_owner_at_once(acme: Workspace, opened: Any) -> None:
    """One has the parent, the other its child: nobody's session, or one chain."""
    for attempt in range(12):
        parent, child = await _exchange(acme.client, await sign_in(acme.client, "bob"), 1)
        shown = [child, parent] if attempt % 2 else [parent, child]
        answers = await asyncio.gather(
            *(_refresh(acme.client, each["refreshToken"]) for each in shown)
        )
        assert await _usable(acme, parent) == (None not in answers)

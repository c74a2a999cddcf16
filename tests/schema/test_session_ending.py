"""Signing out: here, everywhere, or of one session."""

from typing import Any
from uuid import UUID

import jwt
import pytest

from tests.graph import Client
from tests.schema.signing_in import PASSWORD, bearing, give_password, sign_in
from tests.schema.workspace import MISSING, Workspace, gid

ME = "{ viewer { user { username } } }"
NOBODY = {"viewer": None}
SESSIONS = "{ viewer { sessions { id isCurrent } } }"
EVENTS = """query ($action: String!) { auditEvents(first: 99, filter: {action: $action}) {
    nodes { actor { username } targetId ipAddress requestId } } }"""


@pytest.fixture
async def signed(acme: Workspace) -> list[Any]:
    """What bob was given on each of three devices. He has one session more, as everybody."""
    await give_password(acme, "bob", "carl")
    return [await sign_in(acme.client, "bob") for _ in range(3)]


def _id(payload: Any) -> str:
    claims = jwt.decode(payload["accessToken"], options={"verify_signature": False})
    return gid("Session", UUID(claims["sid"]))


async def _is_in(client: Client, payload: Any) -> bool:
    """By what the server answers, and what it would exchange."""
    codes = await bearing(client, payload).codes(ME)
    assert codes in ([], ["UNAUTHENTICATED"])
    refreshed = await client.refused("refreshSession", refreshToken=payload["refreshToken"])
    assert refreshed == [(code, None) for code in codes]
    return not codes


async def _who_is_in(acme: Workspace, *payloads: Any) -> list[bool]:
    return [await _is_in(acme.client, payload) for payload in payloads]


async def _recorded(acme: Workspace, action: str) -> set[tuple[str, str, str]]:
    """Who, of which session, in which request."""
    nodes = (await acme.by("root").ask(EVENTS, action=action))["auditEvents"]["nodes"]
    assert {node["ipAddress"] for node in nodes} <= {"127.0.0.1"}
    found = [(node["actor"]["username"], node["targetId"], node["requestId"]) for node in nodes]
    assert len(found) == len(set(found))
    return set(found)


def _tracked(client: Client) -> Client:
    return Client(client.http, {**client.headers, "X-Request-Id": "r-7"})


async def test_signing_out_ends_this_session_only(acme: Workspace, signed: list[Any]) -> None:
    carl = await sign_in(acme.client, "carl")
    client = _tracked(bearing(acme.client, signed[1]))
    assert await client.mutate("signOut", "success") == {"errors": [], "success": True}
    assert await _who_is_in(acme, *signed, carl) == [True, False, True, True]
    assert await _recorded(acme, "session.signed_out") == {("bob", _id(signed[1]), "r-7")}
    assert await client.refused("signOut") == [("UNAUTHENTICATED", None)]
    assert len(await _recorded(acme, "session.signed_out")) == 1


async def test_signing_out_everywhere(acme: Workspace, signed: list[Any]) -> None:
    carl = await sign_in(acme.client, "carl")
    first = gid("Session", acme.cast.people["bob"].session_id)
    await bearing(acme.client, signed[0]).mutate("signOut")
    client = _tracked(bearing(acme.client, signed[2]))
    answer = await client.mutate("signOutEverywhere", "success")
    assert answer == {"errors": [], "success": True}
    assert await _who_is_in(acme, *signed, carl) == [False, False, False, True]
    assert await acme.by("bob").codes(ME) == ["UNAUTHENTICATED"]
    ended = {_id(signed[1]), _id(signed[2]), first}
    recorded = await _recorded(acme, "session.signed_out")
    assert {each for each in recorded if each[2] == "r-7"} == {("bob", id, "r-7") for id in ended}
    assert len(recorded) == 4
    assert await _is_in(acme.client, await sign_in(acme.client, "bob"))


async def test_one_session_is_revoked(acme: Workspace, signed: list[Any]) -> None:
    client = _tracked(bearing(acme.client, signed[0]))
    answer = await client.mutate("revokeSession", "success", id=_id(signed[1]))
    assert answer == {"errors": [], "success": True}
    assert await _who_is_in(acme, *signed) == [True, False, True]
    assert await _recorded(acme, "session.revoked") == {("bob", _id(signed[1]), "r-7")}
    left = (await client.ask(SESSIONS))["viewer"]["sessions"]
    assert {each["id"] for each in left if each["isCurrent"]} == {_id(signed[0])}
    assert {each["id"] for each in left} == {
        _id(signed[0]),
        _id(signed[2]),
        gid("Session", acme.cast.people["bob"].session_id),
    }


async def test_ones_own_session_is_revoked(acme: Workspace, signed: list[Any]) -> None:
    client = bearing(acme.client, signed[0])
    assert (await client.mutate("revokeSession", "success", id=_id(signed[0])))["success"]
    assert await _who_is_in(acme, *signed) == [False, True, True]


async def test_sessions_that_are_not_ones_own_are_missing(
    acme: Workspace, signed: list[Any]
) -> None:
    """Another's, an unknown one, one that ended or expired: to the byte."""
    carl = await sign_in(acme.client, "carl")
    await bearing(acme.client, signed[1]).mutate("signOut")
    await acme.cast.connection.execute(
        "UPDATE sessions SET expires_at = now() WHERE id = $1", acme.cast.people["bob"].session_id
    )
    query = """mutation ($id: ID!) { revokeSession(input: {id: $id}) {
        success errors { code message field } } }"""
    client = _tracked(bearing(acme.client, signed[0]))
    answers = []
    for id in (
        gid("Session", MISSING),
        _id(carl),
        gid("Session", acme.cast.people["ada"].session_id),
        _id(signed[1]),
        gid("Session", acme.cast.people["bob"].session_id),
    ):
        answer = await client.post(query, id=id)
        answers.append((answer.status_code, answer.content))
    assert set(answers) == {answers[0]}
    assert b'"code":"NOT_FOUND"' in answers[0][1]
    assert b'"success":false' in answers[0][1]
    assert await _who_is_in(acme, signed[0], signed[2], carl) == [True, True, True]
    assert await _recorded(acme, "session.revoked") == set()


async def test_ids_of_something_else(acme: Workspace, signed: list[Any]) -> None:
    session = _id(signed[1])
    for id in (
        *("", " ", "garbage", "é", "\0", "1", str(MISSING), "' OR true --", "A" * 10_000),
        *(f"{session} ", session.rstrip("="), session + session, gid("User", acme.user("bob"))),
        *(gid("Sessions", MISSING), gid("session", MISSING)),
    ):
        client = bearing(acme.client, signed[0])
        assert await client.refused("revokeSession", id=id) == [("BAD_INPUT", ["id"])], id
    assert await _who_is_in(acme, *signed) == [True, True, True]


async def test_whoever_is_signed_out_ends_nothing(acme: Workspace, signed: list[Any]) -> None:
    dead = bearing(acme.client, signed[0])
    await dead.mutate("signOut")
    refused = {"success": False, "errors": [{"code": "UNAUTHENTICATED", "field": None}]}
    for client in (acme.client, dead):
        for mutation, input in (
            ("signOut", {}),
            ("signOutEverywhere", {}),
            ("revokeSession", {"id": _id(signed[1])}),
            ("revokeSession", {"id": "garbage"}),
        ):
            answer = await client.mutate(mutation, "success", **input)
            assert answer["errors"][0].pop("message")
            assert answer == refused
    assert await _who_is_in(acme, *signed[1:]) == [True, True]


@pytest.mark.parametrize("ending", ["signOut", "signOutEverywhere", "revokeSession"])
async def test_what_comes_after_it_is_asked_by_nobody(
    acme: Workspace, signed: list[Any], ending: str
) -> None:
    """In the same operation."""
    input = f'(input: {{id: "{_id(signed[0])}"}})' if ending == "revokeSession" else ""
    carl = await sign_in(acme.client, "carl")
    data = await bearing(acme.client, signed[0]).ask(
        f"""mutation {{
            first: {ending}{input} {{ success errors {{ code }} }}
            signOut {{ success errors {{ code }} }}
            signOutEverywhere {{ success errors {{ code }} }}
            revokeSession(input: {{id: "{_id(signed[1])}"}}) {{ success errors {{ code }} }}
            createTenant(input: {{name: "Lab"}}) {{ tenant {{ id }} errors {{ code }} }}
        }}"""
    )
    refused = {"success": False, "errors": [{"code": "UNAUTHENTICATED"}]}
    assert data == {
        "first": {"success": True, "errors": []},
        "signOut": refused,
        "signOutEverywhere": refused,
        "revokeSession": refused,
        "createTenant": {"tenant": None, "errors": [{"code": "UNAUTHENTICATED"}]},
    }
    others = ending != "signOutEverywhere"
    assert await _who_is_in(acme, *signed, carl) == [False, others, others, True]


async def test_one_signs_out_and_in_again_in_one_operation(
    acme: Workspace, signed: list[Any]
) -> None:
    who = "viewer { user { username } }"
    data = await bearing(acme.client, signed[0]).ask(
        f"""mutation {{
            signOut {{ success }}
            signIn(input: {{username: "carl", password: "{PASSWORD}"}}) {{
                accessToken refreshToken {who} }}
            revokeSession(input: {{id: "{_id(signed[1])}"}}) {{ success errors {{ code }} }}
            again: signOut {{ success }}
        }}"""
    )
    assert data["signIn"]["viewer"] == {"user": {"username": "carl"}}
    assert data["revokeSession"]["errors"] == [{"code": "NOT_FOUND"}]
    assert data["again"] == {"success": True}
    assert await _who_is_in(acme, *signed, data["signIn"]) == [False, True, True, False]


async def test_a_person_of_no_workspace_signs_out(acme: Workspace) -> None:
    """There is no log to record it in."""
    made = await acme.client.mutate(
        "signUp",
        "accessToken refreshToken",
        username="zoe",
        email="zoe@example.com",
        password=PASSWORD,
    )
    assert await _is_in(acme.client, made)
    assert (await bearing(acme.client, made).mutate("signOut", "success"))["success"]
    assert not await _is_in(acme.client, made)

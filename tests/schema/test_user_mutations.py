"""One's own profile and password."""

from typing import Any

import pytest
from limits import parse

from tests.graph import SETTINGS, asking
from tests.schema.signing_in import PASSWORD, bearing, give_password, sign_in
from tests.schema.workspace import Workspace

USER = "user { username fullName email }"
NEW = "another horse battery"


async def test_what_is_given_is_changed(acme: Workspace) -> None:
    bob = acme.by("bob")
    expected = {"username": "bob", "fullName": None, "email": "bob@example.com"}
    for given, change in (
        ({"fullName": " Bob B "}, {"fullName": "Bob B"}),
        ({"email": "Bob@New.Example.com"}, {"email": "bob@new.example.com"}),
        ({"fullName": "Bobby", "email": "b@example.com"}, None),
        ({"fullName": None}, {"fullName": None}),
        ({"fullName": "x"}, {"fullName": "x"}),
        ({"fullName": "  "}, {"fullName": None}),
        ({"email": "b@example.com"}, {}),
    ):
        expected |= given if change is None else change
        payload = await bob.mutate("updateProfile", USER, **given)
        assert payload == {"errors": [], "user": expected}
        assert (await bob.ask(f"{{ viewer {{ {USER} }} }}"))["viewer"] == {"user": expected}
    assert await acme.by("carl").ask('{ user(by: {username: "bob"}) { fullName email } }') == {
        "user": {"fullName": None, "email": None}
    }
    actions = await _actions(acme)
    assert actions == ["user.email_changed"] * 2


async def _actions(acme: Workspace) -> list[str]:
    query = "{ auditEvents(last: 50) { nodes { action } } }"
    nodes = (await acme.by("ada").ask(query))["auditEvents"]["nodes"]
    return [node["action"] for node in nodes]


@pytest.mark.parametrize(
    ("input", "error"),
    [
        ({"email": "carl@example.com"}, ("CONFLICT", ["email"])),
        ({"email": " CARL@example.com"}, ("CONFLICT", ["email"])),
        ({"email": "carl"}, ("BAD_INPUT", ["email"])),
        ({"email": ""}, ("BAD_INPUT", ["email"])),
        ({"email": None}, ("BAD_INPUT", ["email"])),
        ({"fullName": "x" * 201}, ("BAD_INPUT", ["fullName"])),
        ({"fullName": "a\0"}, ("BAD_INPUT", ["fullName"])),
    ],
)
async def test_profile_refused(
    acme: Workspace, input: dict[str, Any], error: tuple[str, list[str]]
) -> None:
    given = {"fullName": "Bob", "email": "b@example.com"} | input
    assert await acme.by("bob").refused("updateProfile", **given) == [error]
    assert await acme.by("bob").ask(f"{{ viewer {{ {USER} }} }}") == {
        "viewer": {"user": {"username": "bob", "fullName": None, "email": "bob@example.com"}}
    }


async def test_nobody_signed_in(acme: Workspace) -> None:
    for mutation, given in {
        "updateProfile": {"fullName": "x"},
        "changePassword": {"currentPassword": PASSWORD, "newPassword": NEW},
    }.items():
        assert await acme.client.refused(mutation, **given) == [("UNAUTHENTICATED", None)]


async def test_a_new_password_ends_the_other_sessions(acme: Workspace) -> None:
    await give_password(acme, "bob", "carl")
    here, there = [bearing(acme.client, await sign_in(acme.client, "bob")) for _ in range(2)]
    carl = bearing(acme.client, await sign_in(acme.client, "carl"))
    changed = await here.mutate(
        "changePassword", "success", currentPassword=PASSWORD, newPassword=NEW
    )
    assert changed == {"errors": [], "success": True}
    me = "{ viewer { user { username } } }"
    assert await here.codes(me) == await carl.codes(me) == []
    assert await there.codes(me) == ["UNAUTHENTICATED"]
    assert await acme.client.refused("signIn", username="bob", password=PASSWORD) == [
        ("UNAUTHENTICATED", None)
    ]
    await sign_in(acme.client, "bob", NEW)
    assert "user.password_changed" in await _actions(acme)


@pytest.mark.parametrize(
    ("current", "new", "error"),
    [
        ("wrong", NEW, ("BAD_INPUT", ["currentPassword"])),
        ("", NEW, ("BAD_INPUT", ["currentPassword"])),
        ("\0", NEW, ("BAD_INPUT", ["currentPassword"])),
        (PASSWORD, "short", ("BAD_INPUT", ["newPassword"])),
        (PASSWORD, "bob@example.com", ("BAD_INPUT", ["newPassword"])),
        (PASSWORD, "qwertyuiop", ("BAD_INPUT", ["newPassword"])),
        (PASSWORD, "x" * 1025, ("BAD_INPUT", ["newPassword"])),
        (PASSWORD, f"{NEW}\0", ("BAD_INPUT", ["newPassword"])),
    ],
)
async def test_password_refused(
    acme: Workspace, current: str, new: str, error: tuple[str, list[str]]
) -> None:
    await give_password(acme, "bob")
    client = bearing(acme.client, await sign_in(acme.client, "bob"))
    refused = await client.refused("changePassword", currentPassword=current, newPassword=new)
    assert refused == [error]
    await sign_in(acme.client, "bob")


async def test_the_current_password_is_not_guessed(acme: Workspace) -> None:
    """Whoever finds an open session."""
    await give_password(acme, "bob")
    client = bearing(acme.client, await sign_in(acme.client, "bob"))
    guesses = [
        (await client.refused("changePassword", currentPassword=f"guess {n}", newPassword=NEW))[0]
        for n in range(11)
    ]
    assert {code for code, _ in guesses[:10]} == {"BAD_INPUT"}
    assert guesses[10] == ("RATE_LIMITED", None)


async def test_aliases_are_counted_as_requests_are(acme: Workspace) -> None:
    settings = SETTINGS.model_copy(update={"limit_user": parse("20/minute")})
    field = 'updateProfile(input: {fullName: "x"}) { errors { code } }'
    aliases = " ".join(f"a{n}: {field}" for n in range(30))
    async with asking(settings) as client:
        data = await client.signed_in(acme.cast.people["bob"]).ask(f"mutation {{ {aliases} }}")
    codes = [payload["errors"] for payload in data.values()]
    assert codes == [[]] * 20 + [[{"code": "RATE_LIMITED"}]] * 10


async def test_who_has_an_account_is_not_asked_without_end(acme: Workspace) -> None:
    bob = acme.by("bob")
    for n in range(20):
        assert await bob.refused("updateProfile", email="carl@example.com"), n
    assert await bob.refused("updateProfile", email="new@example.com") == [("RATE_LIMITED", None)]
    assert await bob.refused("updateProfile", fullName="Bob") == []

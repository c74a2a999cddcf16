"""Signing up and signing in."""

import asyncio
import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from limits import parse

from core.settings import Settings
from server.app import create_app
from tests.graph import SETTINGS, Client, asking, sending
from tests.schema.signing_in import PASSWORD, TOKENS, WHO, bearing, give_password, sign_in
from tests.schema.workspace import Workspace, open_workspace

ME = "{ viewer { user { username email fullName } membership { role tenant { slug name } } } }"
NEW = {"username": "Zoe", "email": "Zoe@Example.com", "password": PASSWORD}


async def test_sign_up_and_in_by_either_name(acme: Workspace) -> None:
    made = await acme.client.mutate(
        "signUp", f"{TOKENS} {WHO}", **NEW, fullName=" Zoe  Z ", tenantName="Zoe's Lab"
    )
    assert made["errors"] == []
    assert made["viewer"] == {"user": {"username": "zoe"}, "membership": {"role": "OWNER"}}
    expected = {
        "viewer": {
            "user": {"username": "zoe", "email": "zoe@example.com", "fullName": "Zoe  Z"},
            "membership": {"role": "OWNER", "tenant": {"slug": "zoe-s-lab", "name": "Zoe's Lab"}},
        }
    }
    assert await bearing(acme.client, made).ask(ME) == expected
    for name in ("zoe", " ZOE ", "zoe@example.com", "ZOE@EXAMPLE.COM\n"):
        assert await bearing(acme.client, await sign_in(acme.client, name)).ask(ME) == expected


async def test_signed_up_without_a_workspace(acme: Workspace) -> None:
    made = await acme.client.mutate("signUp", f"{TOKENS} {WHO}", **NEW)
    assert made["viewer"] == {"user": {"username": "zoe"}, "membership": None}
    client = bearing(acme.client, made)
    assert await client.codes("{ tenant { slug } }") == ["FORBIDDEN"]
    tenant = await client.mutate("createTenant", "tenant { slug }", name="Lab")
    assert tenant == {"errors": [], "tenant": {"slug": "lab"}}
    assert await client.ask("{ tenant { slug } }") == {"tenant": {"slug": "lab"}}


@pytest.mark.parametrize(
    ("change", "errors"),
    [
        ({"username": "BOB"}, [("CONFLICT", ["username"])]),
        ({"email": "bob@example.com "}, [("CONFLICT", ["email"])]),
        ({"username": "bob", "email": "bob@example.com"}, [("CONFLICT", ["username"])]),
        ({"username": ""}, [("BAD_INPUT", ["username"])]),
        ({"username": "zoe@example.com"}, [("BAD_INPUT", ["username"])]),
        ({"username": "z" * 151}, [("BAD_INPUT", ["username"])]),
        ({"username": "z\0e"}, [("BAD_INPUT", ["username"])]),
        ({"username": "z\ud800e"}, [("BAD_INPUT", ["username"])]),
        ({"email": "z\ud800@example.com"}, [("BAD_INPUT", ["email"])]),
        ({"password": "correct horse\ud800"}, [("BAD_INPUT", ["password"])]),
        ({"fullName": "\udfff"}, [("BAD_INPUT", ["fullName"])]),
        ({"username": "z e"}, [("BAD_INPUT", ["username"])]),
        ({"email": "zoe"}, [("BAD_INPUT", ["email"])]),
        ({"email": f"z@{'x' * 60}.{'y' * 60}.{'z' * 200}.com"}, [("BAD_INPUT", ["email"])]),
        ({"email": "z\0e@example.com"}, [("BAD_INPUT", ["email"])]),
        ({"password": "short"}, [("BAD_INPUT", ["password"])]),
        ({"password": "Password123!"}, [("BAD_INPUT", ["password"])]),
        ({"password": "zoe@example.com"}, [("BAD_INPUT", ["password"])]),
        ({"password": "correct horse\0"}, [("BAD_INPUT", ["password"])]),
        ({"password": "x" * 2000}, [("BAD_INPUT", ["password"])]),
        ({"fullName": "a\nb"}, [("BAD_INPUT", ["fullName"])]),
        ({"fullName": "x" * 201}, [("BAD_INPUT", ["fullName"])]),
        ({"tenantName": " "}, [("BAD_INPUT", ["tenantName"])]),
        (
            {"username": "", "email": "", "tenantName": "x" * 201},
            [("BAD_INPUT", ["username"]), ("BAD_INPUT", ["email"]), ("BAD_INPUT", ["tenantName"])],
        ),
    ],
)
async def test_sign_up_refused(
    acme: Workspace, change: dict[str, Any], errors: list[tuple[str, list[str]]]
) -> None:
    before = await _rows(acme)
    assert await acme.client.refused("signUp", **(NEW | {"tenantName": "Lab"} | change)) == errors
    assert await _rows(acme) == before


async def _rows(acme: Workspace) -> list[int]:
    return [
        await acme.cast.connection.fetchval(f"SELECT count(*) FROM {table}")
        for table in ("users", "sessions", "refresh_tokens", "tenants", "memberships")
    ]


async def test_every_failure_is_one_answer(acme: Workspace) -> None:
    """Unknown, without a password, wrong password, disabled, unusable hash: to the byte."""
    await give_password(acme, "bob", "carl")
    await give_password(acme, "root", hash="unusable")
    await acme.cast.connection.execute("UPDATE users SET is_active = false WHERE username = 'carl'")
    tries = [
        ("nobody", PASSWORD),
        ("nobody@example.com", PASSWORD),
        ("ada", PASSWORD),
        ("root", PASSWORD),
        ("bob", "wrong"),
        ("bob", ""),
        ("bob", f"{PASSWORD} "),
        ("bob", PASSWORD.upper()),
        ("bob", "x" * 5000),
        ("bob", "\0"),
        ("bob", "\ud800"),
        ("b\ud800b", PASSWORD),
        ("carl", PASSWORD),
        ("carl", "wrong"),
        ("", ""),
        ("b\0b", PASSWORD),
        ("' OR true --", PASSWORD),
        ("x" * 10_000, PASSWORD),
    ]
    query = (
        "mutation ($input: SignInInput!) { signIn(input: $input)"
        f" {{ errors {{ code message field }} {TOKENS} {WHO} }} }}"
    )
    client = Client(acme.client.http, {"X-Request-Id": "same"})
    answers = set()
    for username, password in tries:
        answer = await client.post(query, input={"username": username, "password": password})
        answers.add((answer.status_code, answer.content))
    ((status, content),) = answers
    assert status == 200
    assert b'"UNAUTHENTICATED"' in content
    assert b'"accessToken":null' in content


async def test_an_imported_hash_is_upgraded(acme: Workspace) -> None:
    digest = hashlib.pbkdf2_hmac("sha256", b"password-007", b"salt", 1000).hex()
    await give_password(acme, "bob", hash=f"pbkdf2_sha256$1000$salt${digest}")
    assert await acme.client.refused("signIn", username="bob", password="password-008") == [
        ("UNAUTHENTICATED", None)
    ]
    await sign_in(acme.client, "bob", "password-007")
    hash = await _hash(acme, "bob")
    assert hash.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    await sign_in(acme.client, "bob", "password-007")
    assert await _hash(acme, "bob") == hash


async def test_two_at_once_upgrade_it_together(acme: Workspace) -> None:
    """Whoever comes second finds another hash than the one that was verified."""
    digest = hashlib.pbkdf2_hmac("sha256", b"password-007", b"salt", 1000).hex()
    for _ in range(3):
        await give_password(acme, "bob", hash=f"pbkdf2_sha256$1000$salt${digest}")
        await asyncio.gather(*(sign_in(acme.client, "bob", "password-007") for _ in range(5)))


async def test_a_hash_of_other_parameters_is_made_anew(acme: Workspace) -> None:
    await give_password(acme, "bob")
    settings = Settings(environment="test", argon2_time_cost=3, sign_in_floor=0)
    async with asking(settings) as client:
        await sign_in(client, "bob")
    assert "t=3" in await _hash(acme, "bob")


async def _hash(acme: Workspace, name: str) -> str:
    return str(
        await acme.cast.connection.fetchval(
            "SELECT password_hash FROM users WHERE username = $1", name
        )
    )


async def test_the_session_is_where_it_was_opened_from(acme: Workspace) -> None:
    await give_password(acme, "bob")
    client = Client(acme.client.http, {"User-Agent": "Fire\tfox" + "x" * 1000})
    payload = await sign_in(client, "bob")
    sessions = (
        await bearing(acme.client, payload).ask(
            "{ viewer { sessions { isCurrent userAgent ipAddress expiresAt } } }"
        )
    )["viewer"]["sessions"]
    (mine,) = [session for session in sessions if session["isCurrent"]]
    assert mine["userAgent"].startswith("Fire\tfox")
    assert len(mine["userAgent"]) == 512
    assert mine["ipAddress"] == "127.0.0.1"
    lasts = datetime.fromisoformat(mine["expiresAt"]) - datetime.now(UTC)
    assert timedelta(days=29) < lasts < timedelta(days=31)


async def test_the_workspace_is_the_requests_else_the_first(acme: Workspace) -> None:
    globex = await open_workspace(acme.cast, acme.client, "globex")
    await give_password(acme, "bob")
    for header, home, member in [
        (None, "acme", True),
        ("acme", "acme", True),
        ("globex", "globex", True),
        (str(globex.id), "globex", True),
        ("nowhere", "acme", False),
    ]:
        headers = {"X-Tenant": header} if header else {}
        payload = await sign_in(Client(acme.client.http, headers), "bob")
        assert (payload["viewer"]["membership"] is not None) == member
        tenant = await bearing(acme.client, payload).ask("{ tenant { slug } }")
        assert tenant == {"tenant": {"slug": home}}


async def test_one_signs_in_with_a_dead_token_attached(acme: Workspace) -> None:
    await give_password(acme, "bob")
    client = Client(acme.client.http, {"Authorization": "Bearer nonsense"})
    payload = await sign_in(client, "bob")
    assert payload["viewer"]["user"] == {"username": "bob"}


async def test_last_login_is_kept(acme: Workspace) -> None:
    await give_password(acme, "bob")
    payload = await sign_in(acme.client, "bob")
    at = (await bearing(acme.client, payload).ask("{ viewer { user { lastLoginAt } } }"))["viewer"]
    since = datetime.now(UTC) - datetime.fromisoformat(at["user"]["lastLoginAt"])
    assert since < timedelta(minutes=1)


async def test_what_a_sign_in_shows_is_its_own(acme: Workspace) -> None:
    """Two in one operation: each payload is read after its own, as its own."""
    await give_password(acme, "bob", "carl")
    fields = f"{{ errors {{ code }} {WHO} }}"
    data = await acme.client.ask(
        f"""mutation {{
            a: signIn(input: {{username: "bob", password: "{PASSWORD}"}}) {fields}
            b: signIn(input: {{username: "bob", password: "no"}}) {fields}
            c: signIn(input: {{username: "carl", password: "{PASSWORD}"}}) {fields}
        }}"""
    )
    assert data["a"]["viewer"]["user"] == {"username": "bob"}
    assert data["b"] == {"errors": [{"code": "UNAUTHENTICATED"}], "viewer": None}
    assert data["c"]["viewer"]["user"] == {"username": "carl"}


async def test_a_mutation_is_not_sent_by_get(acme: Workspace) -> None:
    answer = await acme.client.http.get(
        "/graphql", params={"query": "mutation { signOut { success } }"}
    )
    assert answer.status_code in (400, 405)


async def test_one_address_locks_nobody_else_out(acme: Workspace) -> None:
    """What it may not try any more, is not counted against the account."""
    await give_password(acme, "bob")
    settings = SETTINGS.model_copy(update={"limit_sign_in_account": parse("30/hour")})
    attempts = " ".join(
        f'a{n}: signIn(input: {{username: "bob", password: "x"}}) {{ errors {{ code }} }}'
        for n in range(50)
    )
    app = create_app(settings)
    async with sending(app) as client, sending(app, "192.0.2.7") as elsewhere:
        flood = await client.ask(f"mutation {{ {attempts} }}")
        codes = [attempt["errors"][0]["code"] for attempt in flood.values()]
        assert codes == ["UNAUTHENTICATED"] * 10 + ["RATE_LIMITED"] * 40
        await sign_in(elsewhere, "bob")


async def test_a_domain_is_one_however_it_is_written(acme: Workspace) -> None:
    await acme.client.mutate("signUp", **NEW | {"email": "Zoe@xn--bcher-kva.example.com"})
    for email in (
        "zoe@bücher.example.com",
        "ZOE@XN--BCHER-KVA.example.com",
        "zoe@BÜCHER.example.com",
    ):
        await sign_in(acme.client, email)
    again = NEW | {"username": "zoe2", "email": "zoe@bücher.example.com"}
    assert await acme.client.refused("signUp", **again) == [("CONFLICT", ["email"])]

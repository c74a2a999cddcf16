"""Access tokens that were not given out to whoever shows them, over HTTP."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from pydantic import SecretStr

from core.settings import Settings
from tests.graph import Client, Person, asking
from tests.schema.signing_in import bearing, give_password, sign_in
from tests.schema.workspace import Workspace

ME = "{ viewer { user { username } } }"
BOB = {"viewer": {"user": {"username": "bob"}}}
SECRET, OLD_SECRET = "s" * 32, "o" * 32
KEY = Ed25519PrivateKey.generate()
PRIVATE = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
PUBLIC = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
RAW_PUBLIC = KEY.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def _keys(algorithm: Any, **keys: str) -> Settings:
    secrets = {kid: SecretStr(key) for kid, key in keys.items()}
    return Settings(environment="test", sign_in_floor=0, jwt_algorithm=algorithm, jwt_keys=secrets)


HS256 = _keys("HS256", one=SECRET)
EDDSA = _keys("EdDSA", one=PRIVATE)


def _encoded(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def _claims(person: Person, **changes: object) -> dict[str, object]:
    at = datetime.now(UTC).timestamp()
    good: dict[str, object] = {
        "iss": "parley",
        "aud": "parley",
        "sub": str(person.id),
        "sid": str(person.session_id),
        "jti": "x",
        "iat": int(at),
        "exp": int(at) + 60,
    }
    return {name: value for name, value in (good | changes).items() if value is not None}


def _forge(claims: dict[str, object], algorithm: str, key: object, **header: object) -> str:
    """As PyJWT would not: it refuses a PEM as a secret."""
    head = {"alg": algorithm, "kid": "one", "typ": "JWT"} | header
    signed = f"{_encoded(json.dumps(head).encode())}.{_encoded(json.dumps(claims).encode())}"
    signature = b""
    if key is not None:
        by = jwt.get_algorithm_by_name("HS256" if isinstance(key, bytes) else "EdDSA")
        signature = by.sign(signed.encode(), key)
    return f"{signed}.{_encoded(signature)}"


def _with(client: Client, token: str) -> Client:
    return bearing(client, {"accessToken": token})


async def _is_refused(client: Client, token: str) -> bool:
    answer = (await _with(client, token).post(ME)).json()
    codes = [error["extensions"]["code"] for error in answer.get("errors", [])]
    return answer["data"] == {"viewer": None} and codes == ["UNAUTHENTICATED"]


async def test_the_forger_can_also_sign(acme: Workspace) -> None:
    """Else what follows would be refused for another reason."""
    claims = _claims(acme.cast.people["bob"])
    for settings, algorithm, key in (
        (HS256, "HS256", SECRET.encode()),
        (EDDSA, "EdDSA", KEY),
    ):
        async with asking(settings) as client:
            assert await _with(client, _forge(claims, algorithm, key)).ask(ME) == BOB


async def test_the_algorithm_is_the_settings(acme: Workspace) -> None:
    """None; the public key as a secret; a key of the forger's own; HMAC where it is not asked."""
    claims, mine = _claims(acme.cast.people["bob"]), Ed25519PrivateKey.generate()
    for settings, keys in (
        (HS256, [None, SECRET.encode(), KEY, mine, b""]),
        (EDDSA, [None, PUBLIC.encode(), PUBLIC.strip().encode(), RAW_PUBLIC, b"", mine]),
    ):
        async with asking(settings) as client:
            for key in keys:
                for algorithm in ("none", "None", "NONE", "nOnE", "", "HS256", "HS512", "EdDSA"):
                    token = _forge(claims, algorithm, key)
                    right = (settings, algorithm, key) == (HS256, "HS256", SECRET.encode())
                    assert await _is_refused(client, token) != right, (algorithm, key)


@pytest.mark.parametrize(
    "kid",
    [
        *("two", "", " one", "ONE", "../one", "/dev/null", "../../../../dev/null", "file:///etc"),
        *("one' OR '1'='1", "x' UNION SELECT 'secret' --", "one\0", "é", "x" * 500, "https://x"),
        *(None, 0, 1, True, 1.5, [], ["one"], {}, {"one": 1}, {"kty": "oct", "k": "AAAA"}),
    ],
    ids=repr,
)
async def test_a_key_is_only_chosen(acme: Workspace, kid: object) -> None:
    """Not read from a file, a database or the token; with the right secret, or with nothing."""
    claims = _claims(acme.cast.people["bob"])
    async with asking(HS256) as client:
        for key in (SECRET.encode(), b"", b"secret", b"\0"):
            assert await _is_refused(client, _forge(claims, "HS256", key, kid=kid))


async def test_a_key_that_the_token_brings_is_not_used(acme: Workspace) -> None:
    claims, mine = _claims(acme.cast.people["bob"]), Ed25519PrivateKey.generate()
    raw = mine.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    jwk = {"kty": "OKP", "crv": "Ed25519", "x": _encoded(raw), "kid": "one"}
    oct = {"kty": "oct", "k": _encoded(b"m" * 32), "kid": "one"}
    brought: list[dict[str, object]] = [
        {"jwk": jwk},
        {"jwk": oct},
        {"jku": "http://127.0.0.1:9/jwks.json"},
        {"x5u": "http://127.0.0.1:9/cert.pem"},
        {"x5c": [_encoded(raw)]},
        {"jku": "http://127.0.0.1:9/jwks.json", "kid": "mine"},
        {"crit": ["kid"]},
        {"b64": False, "crit": ["b64"]},
        {"enc": "A256GCM", "alg": "dir"},
    ]
    for settings, key, good in ((EDDSA, mine, KEY), (HS256, b"m" * 32, SECRET.encode())):
        algorithm = settings.jwt_algorithm
        async with asking(settings) as client:
            for header in brought:
                assert await _is_refused(client, _forge(claims, algorithm, key, **header))
            for header in brought[-3:]:
                assert await _is_refused(client, _forge(claims, algorithm, good, **header))
            ignored = _forge(claims, algorithm, good, jku="http://127.0.0.1:9", jwk=jwk)
            assert await _with(client, ignored).ask(ME) == BOB


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": 1},
        {"exp": None},
        {"exp": "soon"},
        {"iat": 2**33},
        {"nbf": 2**33},
        {"iss": "elsewhere"},
        {"iss": ["parley"]},
        {"aud": "elsewhere"},
        {"aud": ["parley"]},
        {"sub": "bob"},
        {"sub": None},
        {"sub": {"id": 1}},
        {"sid": None},
        {"sid": "' OR true --"},
        {"sid": ""},
        {"jti": None},
    ],
    ids=str,
)
async def test_claims(acme: Workspace, changes: dict[str, object]) -> None:
    """As whoever has a key would sign them by mistake."""
    claims = _claims(acme.cast.people["bob"], **changes)
    async with asking(HS256) as client:
        assert await _is_refused(client, _forge(claims, "HS256", SECRET.encode()))


async def test_what_expired_just_now(acme: Workspace) -> None:
    """Beyond what clocks may differ."""
    at = int(datetime.now(UTC).timestamp())
    async with asking(HS256) as client:
        for times, refused in (
            ({"exp": at - 11}, True),
            ({"nbf": at + 20}, True),
            ({"iat": at + 20}, True),
            ({"exp": at - 1, "nbf": at + 5, "iat": at + 5}, False),
        ):
            claims = _claims(acme.cast.people["bob"], **times)
            token = _forge(claims, "HS256", SECRET.encode())
            assert await _is_refused(client, token) == refused


async def test_claims_beyond_measure(acme: Workspace) -> None:
    async with asking(HS256) as client:
        for number in (float("inf"), float("nan"), -(10**300), 10**300):
            for name in ("exp", "iat", "nbf"):
                claims = _claims(acme.cast.people["bob"], **{name: number})
                answer = await _with(client, _forge(claims, "HS256", SECRET.encode())).post(ME)
                assert answer.status_code == 200, (name, number)
                codes = {error["extensions"]["code"] for error in answer.json().get("errors", [])}
                assert codes <= {"UNAUTHENTICATED"}, (name, number)


async def test_a_person_and_their_own_session(acme: Workspace) -> None:
    """Another's with one's own, either way, and some that there never were."""
    bob, ada = acme.cast.people["bob"], acme.cast.people["ada"]
    async with asking(HS256) as client:
        for user, session in (
            (ada.id, bob.session_id),
            (bob.id, ada.session_id),
            (bob.session_id, bob.id),
            (bob.id, uuid4()),
            (uuid4(), bob.session_id),
            (bob.id, UUID(int=0)),
        ):
            claims = _claims(Person(user, session, ""))
            assert await _is_refused(client, _forge(claims, "HS256", SECRET.encode()))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (_keys("HS256", old=OLD_SECRET), _keys("HS256", old=OLD_SECRET, new=SECRET)),
        (_keys("EdDSA", one=PRIVATE), _keys("HS256", one=SECRET)),
    ],
)
async def test_a_key_that_was_removed(acme: Workspace, before: Settings, after: Settings) -> None:
    """Its tokens end with it, and its refresh tokens go on: they are signed by no key."""
    await give_password(acme, "bob")
    async with asking(before) as client:
        opened = await sign_in(client, "bob")
    async with asking(after) as client:
        rotating = "old" in after.jwt_keys
        assert await _is_refused(client, opened["accessToken"]) != rotating
    removed = _keys("HS256", **{list(after.jwt_keys)[-1]: SECRET})
    async with asking(removed) as client:
        assert await _is_refused(client, opened["accessToken"])
        renewed = await client.mutate(
            "refreshSession", "accessToken", refreshToken=opened["refreshToken"]
        )
        assert await bearing(client, renewed).ask(ME) == BOB


async def test_a_token_counts_in_its_header_only(acme: Workspace) -> None:
    """Addresses are logged, and what a page may send by itself is no proof of who sends it."""
    await give_password(acme, "bob")
    token = (await sign_in(acme.client, "bob"))["accessToken"]
    http = acme.client.http
    for text in (token, f"Bearer {token}"):
        names = ("token", "access_token", "accessToken", "authorization", "Authorization", "jwt")
        sent = dict.fromkeys(names, text)
        body = {"query": ME, **sent, "extensions": sent, "headers": sent, "variables": sent}
        answers = [
            await http.get("/graphql", params={"query": ME, **sent}),
            await http.post("/graphql", params=sent, json={"query": ME}),
            await http.post("/graphql", params=sent, json=body),
        ]
        for header in ("X-Access-Token", "X-Authorization", "Proxy-Authorization", "Token"):
            headers = {header: text, "Cookie": f"token={text}; authorization={text}"}
            answers.append(await http.post("/graphql", json={"query": ME}, headers=headers))
        assert [answer.json() for answer in answers] == [{"data": {"viewer": None}}] * 7
    assert await _with(acme.client, token).ask(ME) == BOB


async def test_two_headers_are_not_one_of_them(acme: Workspace) -> None:
    """A proxy may look at the first, and we at the other."""
    await give_password(acme, "bob")
    token = (await sign_in(acme.client, "bob"))["accessToken"]
    for first, second in ((token, "x"), ("x", token)):
        headers = [("Authorization", f"Bearer {each}") for each in (first, second)]
        answer = await acme.client.http.post("/graphql", json={"query": ME}, headers=headers)
        assert answer.json()["data"] == (BOB if first == token else {"viewer": None})


async def test_a_session_is_opened_by_the_server_alone(acme: Workspace) -> None:
    """Whatever of the attacker's is attached when the victim signs in (session fixation)."""
    await give_password(acme, "bob", "carl")
    attackers = await sign_in(acme.client, "carl")
    carl = acme.cast.people["carl"]
    own = jwt.decode(attackers["accessToken"], options={"verify_signature": False})["sid"]
    fixed = {
        "Authorization": f"Bearer {attackers['accessToken']}",
        "Cookie": f"session={own}; sid={own}; __Secure-parley-refresh={attackers['refreshToken']}",
        "X-Session-Id": own,
        "X-Refresh-Cookie": "1",
    }
    victims = await sign_in(Client(acme.client.http, fixed), "bob")
    theirs = jwt.decode(victims["accessToken"], options={"verify_signature": False})
    assert theirs["sub"] == str(acme.user("bob"))
    assert theirs["sid"] not in {own, str(carl.session_id)}
    assert victims["refreshToken"] != attackers["refreshToken"]
    for payload, name in ((victims, "bob"), (attackers, "carl")):
        renewed = await acme.client.mutate(
            "refreshSession", "accessToken", refreshToken=payload["refreshToken"]
        )
        for each in (payload, renewed):
            shown = await bearing(acme.client, each).ask(ME)
            assert shown == {"viewer": {"user": {"username": name}}}


async def test_a_session_of_ones_own_making_is_not_taken(acme: Workspace) -> None:
    await give_password(acme, "bob")
    query = """mutation ($input: SignInInput!) { signIn(input: $input) { accessToken } }"""
    for name in ("sessionId", "sid", "id", "refreshToken"):
        input = {"username": "bob", "password": "x", name: str(uuid4())}
        assert await acme.client.codes(query, input=input) == ["BAD_INPUT"], name
    lasts = timedelta(minutes=15).total_seconds()
    token = (await sign_in(acme.client, "bob"))["accessToken"]
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims["exp"] - claims["iat"] == lasts

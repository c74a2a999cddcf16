import base64
import json
import multiprocessing
import time
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import given
from hypothesis import strategies as st

from core.credentials import LEEWAY_SECONDS, AccessTokens, UnusableKey, _write_once, development_key
from core.errors import Unauthenticated
from core.settings import Settings
from core.viewer import Identity

USER = UUID("01890000-0000-7000-8000-000000000001")
SESSION = UUID("01890000-0000-7000-8000-000000000002")
SECRET, OTHER_SECRET = "s" * 32, "o" * 32
MINUTE = timedelta(minutes=1)
TOKENS = AccessTokens("HS256", {"one": SECRET})


def private_pem(key: Any) -> str:
    pem: bytes = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return pem.decode()


def public_pem(key: Any) -> str:
    pem: bytes = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return pem.decode()


def claims(**changes: object) -> dict[str, object]:
    good = jwt.decode(
        TOKENS.sign(USER, SESSION, expires_in=MINUTE), options={"verify_signature": False}
    )
    return {name: value for name, value in (good | changes).items() if value is not None}


def forge(
    payload: dict[str, object],
    key: object = SECRET,
    algorithm: str | None = "HS256",
    kid: object = "one",
) -> str:
    headers = {} if kid is None else {"kid": kid}
    return jwt.encode(payload, key, algorithm, headers=headers)  # type: ignore[arg-type]


def encoded(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def refused(token: str, tokens: AccessTokens = TOKENS) -> bool:
    try:
        tokens.verify(token)
    except Unauthenticated as error:
        return error.message == "The access token is not valid."
    return False


def test_what_was_signed_is_verified() -> None:
    token = TOKENS.sign(USER, SESSION, expires_in=MINUTE)
    assert TOKENS.verify(token).identity == Identity(USER, SESSION)
    assert TOKENS.verify(forge(claims())).identity == Identity(USER, SESSION)


def test_every_token_is_another_one() -> None:
    tokens = {TOKENS.sign(USER, SESSION, expires_in=MINUTE) for _ in range(10)}
    assert len(tokens) == 10


@pytest.mark.parametrize("name", ["exp", "iat", "sub", "sid", "jti", "iss", "aud"])
def test_every_claim_is_required(name: str) -> None:
    assert refused(forge(claims(**{name: None})))


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": 1},
        {"exp": "soon"},
        {"iat": 2**33},
        {"nbf": 2**33},
        {"aud": "another"},
        {"aud": ["parley", "another"]},
        {"iss": "another"},
        {"sub": "admin"},
        {"sid": "1"},
        {"sid": 1},
        {"sid": [str(SESSION)]},
        {"jti": 7},
    ],
)
def test_wrong_claims(changes: dict[str, object]) -> None:
    assert refused(forge(claims(**changes)))


def test_expired() -> None:
    assert refused(TOKENS.sign(USER, SESSION, expires_in=-MINUTE))


def test_clocks_may_differ_a_little() -> None:
    TOKENS.verify(TOKENS.sign(USER, SESSION, expires_in=timedelta(seconds=-3)))


def test_forged() -> None:
    token = TOKENS.sign(USER, SESSION, expires_in=MINUTE)
    header, payload, signature = token.split(".")
    assert refused(forge(claims(), OTHER_SECRET))
    assert refused(f"{header}.{payload}.")
    assert refused(f"{header}.{payload}")
    assert refused(f"{header}.{encoded(claims(sub=str(SESSION)))}.{signature}")


@pytest.mark.parametrize("kid", [None, "two", "", 1, ["one"], {"one": 1}])
def test_unknown_key(kid: object) -> None:
    header = {"alg": "HS256", "typ": "JWT"} | ({} if kid is None else {"kid": kid})
    good = forge(claims())
    assert refused(f"{encoded(header)}.{good.split('.', 1)[1]}")


@pytest.mark.parametrize("algorithm", ["none", "None", "HS384", "HS512", "EdDSA", "", None])
def test_the_header_does_not_choose_the_algorithm(algorithm: str | None) -> None:
    _, payload, signature = forge(claims()).split(".")
    for tail in (signature, ""):
        assert refused(f"{encoded({'alg': algorithm, 'kid': 'one'})}.{payload}.{tail}")
    if algorithm in {"HS384", "HS512"}:
        assert refused(forge(claims(), SECRET * 2, algorithm))


def test_a_public_key_is_no_secret() -> None:
    """Whoever has the public key must not be able to sign with it as HS256."""
    key = Ed25519PrivateKey.generate()
    tokens = AccessTokens("EdDSA", {"one": private_pem(key)})
    signing_input = f"{encoded({'alg': 'HS256', 'kid': 'one'})}.{encoded(claims())}"
    mac = jwt.get_algorithm_by_name("HS256").sign(signing_input.encode(), public_pem(key).encode())
    signature = base64.urlsafe_b64encode(mac).rstrip(b"=").decode()
    assert refused(f"{signing_input}.{signature}", tokens)


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "..",
        "a.b.c",
        "\ud800.\ud800.\ud800",
        "é.é.é",
        "\0",
        "[" * 2000,
        f"{encoded('text')}.{encoded(1)}.x",
        base64.urlsafe_b64encode(b"[" * 1200).decode() + ".e30.e30",
        "a" * 10_000_000,
    ],
)
def test_garbage(token: str) -> None:
    assert refused(token)


@given(
    st.text()
    | st.lists(st.binary().map(lambda b: base64.urlsafe_b64encode(b).decode())).map(".".join)
)
def test_nothing_else_comes_out(token: str) -> None:
    assert refused(token)


def test_a_long_token_is_not_parsed() -> None:
    assert refused(forge(claims(extra="x" * 4000)))


def test_rotation() -> None:
    old = TOKENS.sign(USER, SESSION, expires_in=MINUTE)
    both = AccessTokens("HS256", {"one": SECRET, "two": OTHER_SECRET})
    new = both.sign(USER, SESSION, expires_in=MINUTE)
    assert jwt.get_unverified_header(new)["kid"] == "two"
    both.verify(old)
    both.verify(new)
    after = AccessTokens("HS256", {"two": OTHER_SECRET})
    after.verify(new)
    assert refused(old, after)


def test_a_key_write_onceed_before_it_signs() -> None:
    tokens = AccessTokens("HS256", {"one": SECRET, "two": OTHER_SECRET}, signing_kid="one")
    TOKENS.verify(tokens.sign(USER, SESSION, expires_in=MINUTE))


def test_a_key_does_not_answer_for_another() -> None:
    tokens = AccessTokens("HS256", {"one": SECRET, "two": OTHER_SECRET})
    assert refused(forge(claims(), SECRET, kid="two"), tokens)


def test_eddsa() -> None:
    key = Ed25519PrivateKey.generate()
    signing = AccessTokens("EdDSA", {"one": private_pem(key)})
    verifying = AccessTokens("EdDSA", {"one": public_pem(key)})
    token = signing.sign(USER, SESSION, expires_in=MINUTE)
    proof = verifying.verify(token)
    assert proof == signing.verify(token)
    assert proof.identity == Identity(USER, SESSION)
    assert refused(token, AccessTokens("EdDSA", {"one": public_pem(Ed25519PrivateKey.generate())}))
    with pytest.raises(UnusableKey, match="'one' is public"):
        verifying.sign(USER, SESSION, expires_in=MINUTE)


@pytest.mark.parametrize(
    ("algorithm", "key", "reason"),
    [
        ("HS256", "s" * 31, "shorter than 32 bytes"),
        ("HS256", public_pem(Ed25519PrivateKey.generate()), "is a PEM"),
        ("EdDSA", SECRET, "Ed25519"),
        ("EdDSA", private_pem(generate_private_key(65537, 2048)), "Ed25519"),
    ],
)
def test_unfit_keys(algorithm: Any, key: str, reason: str) -> None:
    with pytest.raises(UnusableKey, match=reason) as caught:
        AccessTokens(algorithm, {"one": key})
    assert key not in str(caught.value)


def test_no_keys_at_all() -> None:
    with pytest.raises(UnusableKey, match="PARLEY_JWT_KEYS is empty"):
        AccessTokens("HS256", {})


def test_keys_of_the_settings() -> None:
    settings = Settings(environment="test", jwt_keys={"one": SECRET})  # type: ignore[dict-item]
    TOKENS.verify(AccessTokens.of(settings).sign(USER, SESSION, expires_in=MINUTE))


def test_the_development_key_is_made_once_and_private(tmp_path: Path) -> None:
    settings = Settings(environment="test", data_dir=tmp_path / "new")
    token = AccessTokens.of(settings).sign(USER, SESSION, expires_in=MINUTE)
    AccessTokens.of(settings).verify(token)
    assert jwt.get_unverified_header(token)["kid"] == "development"
    assert (tmp_path / "new" / "jwt.key").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["jwt.key"]


def test_processes_agree_on_the_development_key(tmp_path: Path) -> None:
    for attempt in range(5):
        path = tmp_path / str(attempt)
        with multiprocessing.get_context("spawn").Pool(2) as pool:
            assert len(set(pool.map(development_key, [path] * 8, chunksize=1))) == 1


def test_the_slower_process_takes_the_key_of_the_faster(tmp_path: Path) -> None:
    (tmp_path / "jwt.key").write_text("faster")
    _write_once("slower", tmp_path / "jwt.key")
    assert (tmp_path / "jwt.key").read_text() == "faster"


def test_an_unreadable_development_key(tmp_path: Path) -> None:
    with pytest.raises(UnusableKey, match="cannot read or write"):
        development_key(tmp_path)


def test_what_is_remembered_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = AccessTokens("HS256", {"one": "x" * 32})
    token = tokens.sign(uuid4(), uuid4(), expires_in=timedelta(minutes=1))
    identity = tokens.verify(token)
    moment = time.time()
    monkeypatch.setattr(time, "time", lambda: moment + 60)  # a clock may be late
    assert tokens.verify(token) == identity
    monkeypatch.setattr(time, "time", lambda: moment + 60 + LEEWAY_SECONDS + 1)
    with pytest.raises(Unauthenticated):
        tokens.verify(token)

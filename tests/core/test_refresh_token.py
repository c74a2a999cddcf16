import base64
import hashlib
import hmac
import re
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from core.refresh_token import fingerprint, new_refresh_token, successor

SALT = UUID("01890000-0000-7000-8000-000000000001")
OTHER_SALT = UUID("01890000-0000-7000-8000-000000000002")
TOKEN = "bcKtYYZ5Xj5JzF6f3eGAFM4uUX1mc0QhJrA3YvPzj1s"


def decoded(token: str) -> bytes:
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", token)
    return base64.urlsafe_b64decode(token + "=")


def test_a_new_token_is_32_random_bytes() -> None:
    tokens = {new_refresh_token() for _ in range(100)}
    assert len(tokens) == 100
    assert {len(decoded(token)) for token in tokens} == {32}


def test_known_values() -> None:
    mac = hmac.new(TOKEN.encode(), SALT.bytes, "sha256").digest()
    assert decoded(successor(TOKEN, SALT)) == mac
    assert fingerprint(TOKEN) == hashlib.sha256(TOKEN.encode()).digest()


def test_the_successor_follows_from_the_token_and_the_salt() -> None:
    assert successor(TOKEN, SALT) == successor(TOKEN, SALT)
    assert successor(TOKEN, SALT) != successor(TOKEN, OTHER_SALT)
    assert successor(TOKEN, SALT) != successor(new_refresh_token(), SALT)


def test_the_successor_does_not_follow_from_what_is_stored() -> None:
    stored = fingerprint(TOKEN)
    keys = (stored, stored.hex().encode(), base64.urlsafe_b64encode(stored).rstrip(b"="), b"")
    made = {hmac.digest(key, SALT.bytes, "sha256") for key in keys}
    assert decoded(successor(TOKEN, SALT)) not in made


@given(st.text(st.characters()) | st.just("\ud800\0") | st.just("a" * 10_000))
def test_any_text_has_a_fingerprint(text: str) -> None:
    assert len(fingerprint(text)) == 32
    assert fingerprint(text) != fingerprint(TOKEN)
    decoded(successor(text, SALT))


def test_other_texts_have_other_fingerprints() -> None:
    texts = [
        "",
        TOKEN,
        TOKEN.lower(),
        TOKEN + "=",
        TOKEN + " ",
        TOKEN[:-1],
        "\ud800",
        "\ud801",
        "?",
    ]
    assert len({fingerprint(text) for text in texts}) == len(texts)


def test_a_long_text_is_not_read_to_its_end() -> None:
    assert fingerprint("a" * 256) == fingerprint("a" * 10_000_000)
    assert fingerprint("a" * 255) != fingerprint("a" * 256)

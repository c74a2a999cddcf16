"""Access tokens: short-lived JWTs that say who asks (sub) and by which sign-in (sid).

Rotation: add a key to PARLEY_JWT_KEYS, let it sign, remove the old one when its last token has
expired. The header's `kid` chooses the key, the settings alone choose the algorithm.
"""

import os
import secrets
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Literal, NamedTuple, Self
from uuid import UUID

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    load_pem_private_key,
    load_pem_public_key,
)

from core.errors import Unauthenticated
from core.settings import Settings
from core.viewer import Identity

Algorithm = Literal["HS256", "EdDSA"]
Key = bytes | Ed25519PrivateKey | Ed25519PublicKey

ISSUER = AUDIENCE = "parley"
LEEWAY_SECONDS = 10
LONGEST_TOKEN = 2048
SHORTEST_SECRET = 32  # bytes: an HMAC key shorter than its hash can be guessed
DEVELOPMENT_KID = "development"
REMEMBERED = 10_000

CLAIMS = ["exp", "iat", "sub", "sid", "jti", "iss", "aud"]
MALFORMED = (
    *(jwt.PyJWTError, ValueError, TypeError, LookupError),
    *(RecursionError, AttributeError, OverflowError),
)


class Proof(NamedTuple):
    """What an access token says."""

    identity: Identity
    expires_at: datetime
    """Until when it is accepted."""


class UnusableKey(Exception):
    """The keys of the settings do not fit their purpose. The message shows no key."""


class AccessTokens:
    def __init__(
        self, algorithm: Algorithm, keys: Mapping[str, str], signing_kid: str | None = None
    ) -> None:
        """`keys` are secrets (HS256) or PEMs (EdDSA). Raises UnusableKey."""
        if not keys:
            raise UnusableKey("PARLEY_JWT_KEYS is empty")
        parse = _secret if algorithm == "HS256" else _pem
        self._algorithm = algorithm
        self._keys: dict[str, Key] = {kid: parse(kid, text) for kid, text in keys.items()}
        self._signing_kid = signing_kid or list(keys)[-1]
        # A client shows the same token with each request. What is refused is not remembered.
        self._remembered = lru_cache(REMEMBERED)(self._verify)

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Raises UnusableKey. Outside of production a key is made when none is configured."""
        keys = {kid: key.get_secret_value() for kid, key in settings.jwt_keys.items()}
        if keys or settings.environment == "production":
            return cls(settings.jwt_algorithm, keys, settings.jwt_signing_kid)
        return cls("HS256", {DEVELOPMENT_KID: development_key(settings.home / "jwt.key")})

    def sign(self, user_id: UUID, session_id: UUID, *, expires_in: timedelta) -> str:
        key = self._keys[self._signing_kid]
        if isinstance(key, Ed25519PublicKey):
            raise UnusableKey(f"the key {self._signing_kid!r} is public: it cannot sign")
        now = datetime.now(UTC)
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": str(user_id),
            "sid": str(session_id),
            "jti": secrets.token_urlsafe(16),
            "iat": now,
            "exp": now + expires_in,
        }
        return jwt.encode(claims, key, self._algorithm, headers={"kid": self._signing_kid})

    def verify(self, token: str) -> Proof:
        """Raises Unauthenticated, with the same message whatever is wrong with the token."""
        if len(token) > LONGEST_TOKEN:
            raise _refusal()
        proof = self._remembered(token)
        if proof.expires_at.timestamp() <= time.time():
            raise _refusal()
        return proof

    def _verify(self, token: str) -> Proof:
        try:
            claims = jwt.decode(
                token,
                self._verifying_key(token),
                algorithms=[self._algorithm],
                issuer=ISSUER,
                audience=AUDIENCE,
                leeway=LEEWAY_SECONDS,
                options={"require": CLAIMS, "strict_aud": True},
            )
            identity = Identity(UUID(claims["sub"]), UUID(claims["sid"]))
            return Proof(identity, datetime.fromtimestamp(claims["exp"] + LEEWAY_SECONDS, UTC))
        except MALFORMED:
            raise _refusal() from None

    def _verifying_key(self, token: str) -> bytes | Ed25519PublicKey:
        key = self._keys[jwt.get_unverified_header(token)["kid"]]
        return key.public_key() if isinstance(key, Ed25519PrivateKey) else key


def _refusal() -> Unauthenticated:
    return Unauthenticated("The access token is not valid.")


def _secret(kid: str, text: str) -> bytes:
    secret = text.encode()
    if "-----BEGIN" in text:
        # Whoever knows a public key could sign with it.
        raise UnusableKey(f"the key {kid!r} is a PEM, but PARLEY_JWT_ALGORITHM is HS256")
    if len(secret) < SHORTEST_SECRET:
        raise UnusableKey(f"the key {kid!r} is shorter than {SHORTEST_SECRET} bytes")
    return secret


def _pem(kid: str, text: str) -> Ed25519PrivateKey | Ed25519PublicKey:
    key: object = None
    for load in (lambda pem: load_pem_private_key(pem, None), load_pem_public_key):
        with suppress(ValueError, TypeError):
            key = load(text.encode())
    if not isinstance(key, Ed25519PrivateKey | Ed25519PublicKey):
        raise UnusableKey(f"the key {kid!r} is no unencrypted Ed25519 PEM, as EdDSA needs")
    return key


def development_key(path: Path) -> str:
    """The secret kept in `path`, made by whichever process comes first."""
    try:
        if not path.exists():
            _write_once(secrets.token_hex(SHORTEST_SECRET), path)
        return path.read_text()
    except OSError as error:
        raise UnusableKey(f"cannot read or write {path}: {error.strerror}") from error


def _write_once(text: str, path: Path) -> None:
    """Complete or not at all, and never over the text of another process."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=path.name)  # mode 0600
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        Path(draft).unlink()

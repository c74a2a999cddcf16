"""Refresh tokens: opaque, random, kept as fingerprints. Who reads the database can show none.

A salted hash is for what can be guessed; nobody guesses 256 random bits (RFC 6819, 5.1.4.1.3).
"""

import base64
import hmac
import secrets
from hashlib import sha256
from uuid import UUID

TOKEN_BYTES = 32
LONGEST_SHOWN = 256
"""Characters. What is longer was never given out, and is not read to its end."""


def new_refresh_token() -> str:
    return secrets.token_urlsafe(TOKEN_BYTES)


def successor(token: str, salt: UUID) -> str:
    """The same for everybody who shows the same token: tabs that refresh at once get one answer.
    `salt` may be public: only who has the token, not its fingerprint, can tell what follows it."""
    mac = hmac.digest(_bytes(token), salt.bytes, "sha256")
    return base64.urlsafe_b64encode(mac).rstrip(b"=").decode()


def fingerprint(token: str) -> bytes:
    """What is stored, 32 bytes. Of any text that a client sends."""
    return sha256(_bytes(token)).digest()


def _bytes(token: str) -> bytes:
    return token[:LONGEST_SHOWN].encode("utf-8", "surrogatepass")

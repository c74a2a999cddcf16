"""A request with an idempotency key may be repeated: it is the same when its digest is."""

import hashlib

import orjson

from core.errors import Conflict


def digest(*request: object) -> bytes:
    """Of what JSON can carry, and UUIDs."""
    return hashlib.sha256(orjson.dumps(request, option=orjson.OPT_SORT_KEYS)).digest()


def key_taken() -> Conflict:
    return Conflict("Was used for another request.", ("idempotencyKey",))

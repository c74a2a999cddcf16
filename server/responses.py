import json
import math

import orjson
from starlette.responses import Response

from core.errors import RateLimited
from core.rate_limit import Budget

BUDGET_HEADERS = ("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset")
"""draft-ietf-httpapi-ratelimit-headers-07."""

RAW_HEADERS = [name.lower().encode() for name in BUDGET_HEADERS]


def error_response(status: int, code: str, message: str, **extensions: str) -> Response:
    """A failure before there is a GraphQL operation, in GraphQL's shape."""
    body = {"errors": [{"message": message, "extensions": {"code": code} | extensions}]}
    return Response(to_json(body), status, media_type="application/json")


def to_json(data: object) -> bytes:
    """Also of an error that quotes half of a surrogate pair, which orjson does not write."""
    try:
        return orjson.dumps(data)
    except TypeError:
        return json.dumps(data, default=_read).encode()


def _read(written: object) -> object:
    """What was JSON already."""
    return orjson.loads(orjson.dumps(written))


def rate_limited(refusal: RateLimited) -> Response:
    response = error_response(429, refusal.code, refusal.message)
    response.headers["Retry-After"] = seconds(refusal.retry_after)
    response.raw_headers += budget_headers(Budget(refusal.limit, 0, refusal.retry_after))
    return response


def budget_headers(budget: Budget) -> list[tuple[bytes, bytes]]:
    reset = math.ceil(budget.reset_after)
    return [
        (name, b"%d" % value)
        for name, value in zip(RAW_HEADERS, (budget.limit, budget.remaining, reset), strict=True)
    ]


def seconds(duration: float) -> str:
    """Whole ones, and never too few: to wait that long is enough."""
    return str(math.ceil(duration))

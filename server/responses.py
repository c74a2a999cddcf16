import math

import orjson
from starlette.responses import Response

from core.errors import RateLimited
from core.rate_limit import Budget


def error_response(status: int, code: str, message: str, **extensions: str) -> Response:
    """A failure before there is a GraphQL operation, in GraphQL's shape."""
    body = {"errors": [{"message": message, "extensions": {"code": code} | extensions}]}
    return Response(orjson.dumps(body), status, media_type="application/json")


def rate_limited(refusal: RateLimited) -> Response:
    response = error_response(429, refusal.code, refusal.message)
    response.headers["Retry-After"] = seconds(refusal.retry_after)
    response.headers.update(budget_headers(Budget(refusal.limit, 0, refusal.retry_after)))
    return response


def budget_headers(budget: Budget) -> dict[str, str]:
    """draft-ietf-httpapi-ratelimit-headers-07."""
    return {
        "RateLimit-Limit": str(budget.limit),
        "RateLimit-Remaining": str(budget.remaining),
        "RateLimit-Reset": seconds(budget.reset_after),
    }


def seconds(duration: float) -> str:
    """Whole ones, and never too few: to wait that long is enough."""
    return str(math.ceil(duration))

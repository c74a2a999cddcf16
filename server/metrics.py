"""What the process counts, for whoever has the operator's token."""

from hmac import compare_digest

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from core.metrics import REGISTRY
from server.responses import error_response


def metrics_route(token: SecretStr) -> Route:
    expected = f"Bearer {token.get_secret_value()}".encode()

    async def metrics(request: Request) -> Response:
        given = request.headers.get("authorization", "").encode()
        if not compare_digest(given, expected):
            return error_response(401, "UNAUTHENTICATED", "Send Authorization: Bearer <token>.")
        return Response(generate_latest(REGISTRY), media_type=CONTENT_TYPE_LATEST)

    return Route("/metrics", metrics)

import orjson
from starlette.responses import Response


def error_response(status: int, code: str, message: str, **extensions: str) -> Response:
    """A failure before there is a GraphQL operation, in GraphQL's shape."""
    body = {"errors": [{"message": message, "extensions": {"code": code} | extensions}]}
    return Response(orjson.dumps(body), status, media_type="application/json")

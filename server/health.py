from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from resolvers.database import database_answers


async def healthz(_: Request) -> Response:
    """The process is alive."""
    return PlainTextResponse("ok")


async def readyz(_: Request) -> Response:
    """The process can answer queries."""
    if await database_answers():
        return PlainTextResponse("ready")
    return PlainTextResponse("the database does not answer", 503)

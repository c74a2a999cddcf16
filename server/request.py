"""From a request to who asks, and in which workspace."""

from starlette.requests import HTTPConnection

from core.credentials import AccessTokens
from core.errors import Unauthenticated
from resolvers.session import authenticate
from schema.context import Context


async def context_of(connection: HTTPConnection, tokens: AccessTokens) -> Context:
    """A token that is not accepted is remembered rather than raised: signing in again must work
    with the old one still attached."""
    context = Context(request_id=connection.scope["state"]["request_id"])
    header = connection.headers.get("authorization")
    if header is None:
        return context
    try:
        identity = tokens.verify(_bearer(header))
        context.who = await authenticate(identity, connection.headers.get("x-tenant"))
    except Unauthenticated as refusal:
        context.refusal = refusal
    return context


def _bearer(header: str) -> str:
    scheme, _, token = header.partition(" ")
    if scheme.casefold() != "bearer":
        raise Unauthenticated("Send Authorization: Bearer <access token>.")
    return token.strip()

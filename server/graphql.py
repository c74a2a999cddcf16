"""GraphQL over HTTP (graphql.github.io/graphql-over-http), on Strawberry's view."""

import asyncio
import json
import logging
from typing import Any

import orjson
from cross_web import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.http import GraphQLHTTPResponse

from core.errors import RateLimited
from resolvers.services import Services
from schema.context import Context
from schema.errors import presented
from schema.schema import schema
from server.explorer import PAGE_HEADERS, page
from server.middleware import BodyTooLarge
from server.refresh_cookie import set_refresh_cookie
from server.request import context_of
from server.responses import budget_headers, error_response, rate_limited, seconds

log = logging.getLogger("parley.graphql")

RESPONSE_TYPE = "application/graphql-response+json"
REFUSED = 400
SOON = 0.1
"""Seconds that an operation takes before anybody looks whether the client has gone."""


class GraphQLView(GraphQL[Context, None]):
    def __init__(self, services: Services) -> None:
        super().__init__(schema, subscription_protocols=())
        self.services = services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            response = await self._answer(request)
        except HTTPException as refusal:
            response = error_response(refusal.status_code, "BAD_REQUEST", refusal.reason)
        except RateLimited as refusal:
            response = rate_limited(refusal)
        except ClientDisconnect:
            return
        except BodyTooLarge:
            raise
        except Exception:
            request_id = request.state.request_id
            log.exception("request %s failed", request_id)
            response = error_response(500, "INTERNAL", "Internal error.", requestId=request_id)
        if response.media_type == "application/json":
            _negotiate(request, response)
        if isinstance(context := getattr(request.state, "context", None), Context):
            _tell(response, context)
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        """Raises ClientDisconnect as soon as nobody waits: what runs for them is cancelled, down to
        the statement in PostgreSQL. ASGI servers only tell, they do not cancel."""
        await request.body()
        operation = asyncio.ensure_future(self.run(request))
        try:
            await asyncio.wait((operation,), timeout=SOON)
            if not operation.done() and await _gone_before(request, operation):
                raise ClientDisconnect
            return operation.result()
        finally:
            operation.cancel()

    async def get_context(
        self,
        request: Request | WebSocket,
        response: Response | WebSocket,  # noqa: ARG002
    ) -> Context:
        context = await context_of(request, self.services)
        request.state.context = context
        return context

    async def process_result(self, request: Request, result: Any) -> GraphQLHTTPResponse:
        # Here, and not in an extension: extensions can fail too.
        request_id = request.state.request_id
        result.errors = [presented(error, request_id) for error in result.errors or ()]
        answer = await super().process_result(request, result)
        # A request error, unlike one of a field, leaves no data at all: nothing was executed.
        request.state.refused = answer["data"] is None and not any(e.path for e in result.errors)
        if request.state.refused:
            del answer["data"]
        return answer

    async def render_graphql_ide(self, request: Request) -> Response:  # noqa: ARG002
        html = page()
        if html is not None:
            return HTMLResponse(html, headers=PAGE_HEADERS)
        # Strawberry's page comes from other hosts; all but the content policy holds for it too.
        headers = {k: v for k, v in PAGE_HEADERS.items() if k != "Content-Security-Policy"}
        return HTMLResponse(self.graphql_ide_html, headers=headers)

    def decode_json(self, data: str | bytes) -> object:
        decoded = _read(data)
        if not isinstance(decoded, dict | list):
            raise HTTPException(400, "The body must be a JSON object.")
        return decoded

    def encode_json(self, data: object) -> bytes:
        try:
            return orjson.dumps(data)
        except TypeError:  # an error that quotes half of a surrogate pair
            return json.dumps(data).encode()


def _read(data: str | bytes) -> object:
    """Half of a surrogate pair is JSON (RFC 8259, 8.2), though no text: orjson refuses it with all
    that comes with it. Read, it can be told in which field it is."""
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        if "surrogate" not in error.msg:
            raise
        try:
            return json.loads(data)
        except (ValueError, RecursionError):
            raise error from None


def _negotiate(request: Request, response: Response) -> None:
    """In GraphQL's own media type a status tells what happened; in plain JSON it is always 200."""
    if RESPONSE_TYPE in request.headers.get("accept", ""):
        response.headers["content-type"] = f"{RESPONSE_TYPE}; charset=utf-8"
        if getattr(request.state, "refused", False):
            response.status_code = REFUSED


def _tell(response: Response, context: Context) -> None:
    """In headers, what is no part of an operation's result."""
    if context.budgets:
        budget = min(context.budgets, key=lambda budget: budget.remaining / budget.limit)
        response.headers.update(budget_headers(budget))
    if context.retry_after:
        response.headers["Retry-After"] = seconds(context.retry_after)
    if context.refresh_cookie:
        set_refresh_cookie(response, context.refresh_cookie, context.services.settings)


async def _gone_before(request: Request, operation: asyncio.Future[Response]) -> bool:
    gone = asyncio.ensure_future(_disconnected(request))
    try:
        await asyncio.wait((operation, gone), return_when=asyncio.FIRST_COMPLETED)
    finally:
        gone.cancel()
    return not operation.done()


async def _disconnected(request: Request) -> None:
    """Returns when the client is gone. The body must have been read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass

"""GraphQL over HTTP (graphql.github.io/graphql-over-http), on Strawberry's view."""

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Any, cast

import orjson
from cross_web import AsyncHTTPRequestAdapter, HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect
from strawberry.asgi import GraphQL
from strawberry.http import GraphQLHTTPResponse, GraphQLRequestData
from strawberry.subscriptions import GRAPHQL_SSE_PROTOCOL, GRAPHQL_TRANSPORT_WS_PROTOCOL

from core.errors import RateLimited
from resolvers.services import Services
from schema.context import Context
from schema.errors import is_refused, presented
from schema.schema import schema
from server.connections import Connections
from server.event_stream import EventStream, disconnected, protocol_of
from server.explorer import PAGE_HEADERS, page
from server.frames import Frames
from server.middleware import BodyTooLarge
from server.refresh_cookie import set_refresh_cookie
from server.request import caller_of, context_of, count_address
from server.responses import budget_headers, error_response, rate_limited, seconds
from server.socket import Socket

log = logging.getLogger("parley.graphql")

RESPONSE_TYPE = "application/graphql-response+json"
REFUSED = 400
SOON = 0.1
"""Seconds that an operation takes before anybody looks whether the client has gone."""


class GraphQLView(GraphQL[Context, None]):
    graphql_transport_ws_handler_class = Socket
    websocket_adapter_class = Frames

    def __init__(self, services: Services) -> None:
        settings = services.settings
        super().__init__(
            schema,
            subscription_protocols=(GRAPHQL_TRANSPORT_WS_PROTOCOL, GRAPHQL_SSE_PROTOCOL),
            connection_init_wait_timeout=timedelta(seconds=settings.connection_init_seconds),
            max_subscriptions_per_connection=None,  # Socket counts, and says so with a code
            allowed_origins=settings.allowed_origins,
        )
        self.services = services
        self.connections = Connections(settings.max_connections)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._talk(WebSocket(scope, receive, send))
        else:
            await self._respond(scope, receive, send)

    async def _talk(self, websocket: WebSocket) -> None:
        try:
            await count_address(await self.get_context(websocket, websocket))
        except RateLimited as refusal:
            await websocket.send_denial_response(rate_limited(refusal))
            return
        if self.connections.are_leaving:
            await websocket.send_denial_response(error_response(503, "GOING_AWAY", "Going away."))
            return
        with suppress(WebSocketDisconnect):  # before it was accepted
            await self.run(websocket)

    async def _respond(self, scope: Scope, receive: Receive, send: Send) -> None:
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
        if isinstance(request, WebSocket):
            return Context(services=self.services, caller=caller_of(request))
        context = await context_of(request, self.services, request.headers)
        request.state.context = context
        return context

    async def parse_http_body(
        self, request: AsyncHTTPRequestAdapter
    ) -> GraphQLRequestData | list[GraphQLRequestData]:
        data = await super().parse_http_body(request)
        if isinstance(data, GraphQLRequestData) and data.protocol == "sse":
            data.protocol = protocol_of(data, request)
        return data

    async def execute_operation(self, request: Request, *arguments: Any, **named: Any) -> Any:
        result = await super().execute_operation(request, *arguments, **named)
        request.state.operation = result
        return result

    async def create_streaming_response(
        self,
        request: Request | WebSocket,
        stream: Callable[[], AsyncIterator[str]],
        sub_response: Response,  # noqa: ARG002
        headers: Mapping[str, str],
    ) -> Response:
        state = request.state
        events = cast(AsyncGenerator[str, None], stream())
        return EventStream(state.context, self.connections, state.operation, events, headers)

    async def process_result(self, request: Request, result: Any) -> GraphQLHTTPResponse:
        # Here, and not in an extension: extensions can fail too.
        request_id = request.state.request_id
        result.errors = [presented(error, request_id) for error in result.errors or ()]
        answer = await super().process_result(request, result)
        # A request error, unlike one of a field, leaves no data at all: nothing was executed.
        request.state.refused = is_refused(result)
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
    gone = asyncio.ensure_future(disconnected(request.receive))
    try:
        await asyncio.wait((operation, gone), return_when=asyncio.FIRST_COMPLETED)
    finally:
        gone.cancel()
    return not operation.done()

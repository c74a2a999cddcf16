"""GraphQL over HTTP (graphql.github.io/graphql-over-http), and over WebSockets."""

import logging
from contextlib import suppress
from datetime import timedelta
from typing import Any

from cross_web import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect
from strawberry.asgi import GraphQL
from strawberry.exceptions import MissingQueryError
from strawberry.http import GraphQLHTTPResponse, GraphQLRequestData
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.types import ExecutionResult
from strawberry.types.graphql import OperationType

from core.errors import RateLimited
from resolvers.services import Services
from schema.context import Context
from schema.errors import is_refused, presented
from schema.schema import schema
from server.asked import EVENTS, JSON, Asked, read_json
from server.connections import Connections
from server.disconnects import WhileConnected, body_of
from server.edge import BodyTooLarge
from server.event_stream import EventStream, wants_events
from server.explorer import PAGE_HEADERS, page
from server.frames import Frames
from server.refresh_cookie import refresh_cookie_of
from server.request import caller_of, context_of, count_address
from server.responses import error_response, rate_limited, to_json
from server.socket import Socket

log = logging.getLogger("parley.graphql")

HARMLESS = (OperationType.QUERY,)
"""What a GET may ask for: pages of other sites, and whoever prefetches a link, can send one."""


class GraphQLView(GraphQL[Context, None]):
    graphql_transport_ws_handler_class = Socket
    websocket_adapter_class = Frames

    def __init__(self, services: Services) -> None:
        settings = services.settings
        super().__init__(
            schema,
            subscription_protocols=(GRAPHQL_TRANSPORT_WS_PROTOCOL,),
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

    async def get_context(
        self,
        request: Request | WebSocket,
        response: object,  # noqa: ARG002
    ) -> Context:
        """Of a socket. Each operation on it has one of its own."""
        return Context(services=self.services, caller=caller_of(request.scope))

    async def _respond(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = Asked(scope, receive)
        try:
            response = await self._answer(asked)
        except HTTPException as refusal:
            response = error_response(refusal.status_code, "BAD_REQUEST", refusal.reason)
        except RateLimited as refusal:
            response = rate_limited(refusal)
        except ClientDisconnect:
            return
        except BodyTooLarge:
            raise
        except Exception:
            log.exception("request %s failed", asked.id)
            response = error_response(500, "INTERNAL", "Internal error.", requestId=asked.id)
        asked.tell(response)
        await response(scope, receive, send)

    async def _answer(self, asked: Asked) -> Response:
        """Raises HTTPException, RateLimited; ClientDisconnect as soon as nobody waits."""
        asked.body = await body_of(asked.receive)
        with WhileConnected(asked.receive):
            cookie = refresh_cookie_of(asked.scope, self.services.settings)
            caller = caller_of(asked.scope)
            context = await context_of(self.services, caller, asked.headers, cookie)
            asked.context = context
            if not self.is_request_allowed(asked):
                raise HTTPException(405, "GraphQL only supports GET and POST requests.")
            if self.should_render_graphql_ide(asked):
                return self._page()
            data = asked.operation()
            if asked.accepts_events and wants_events(data, asked):
                return await self._event_stream(asked, context, data)
            return await self._json(asked, data)

    async def _event_stream(
        self, asked: Any, context: Context, data: GraphQLRequestData
    ) -> EventStream:
        operation: Any = await schema.stream(
            data.query,
            variable_values=data.variables,
            context_value=context,
            operation_name=data.operation_name,
            operation_extensions=data.extensions,
        )
        events = self._stream_result(asked, operation, EVENTS)()
        return EventStream(context, self.connections, operation, events, EVENTS.headers)

    async def _json(self, asked: Asked, data: GraphQLRequestData) -> Response:
        result = await _executed(asked, data)
        answer = await self.process_result(asked, result)
        asked.is_refused = "data" not in answer
        return Response(self.encode_json(answer), media_type=JSON)

    async def process_result(self, request: Any, result: ExecutionResult) -> GraphQLHTTPResponse:
        """Whatever was wrong becomes what a client may see: also what failed outside of fields."""
        if not result.errors:
            return {"data": result.data}
        result.errors = [presented(error, request.id) for error in result.errors]
        errors: list[object] = [error.formatted for error in result.errors]
        # A request error, unlike one of a field, leaves no data at all: nothing was executed.
        return {"errors": errors} if is_refused(result) else {"data": result.data, "errors": errors}

    def decode_json(self, data: str | bytes) -> object:
        return read_json(data)

    def encode_json(self, data: object) -> bytes:
        return to_json(data)

    def _page(self) -> Response:
        html = page()
        if html is not None:
            return HTMLResponse(html, headers=PAGE_HEADERS)
        # Strawberry's page comes from other hosts; all but the content policy holds for it too.
        headers = {k: v for k, v in PAGE_HEADERS.items() if k != "Content-Security-Policy"}
        return HTMLResponse(self.graphql_ide_html, headers=headers)


async def _executed(asked: Asked, data: GraphQLRequestData) -> ExecutionResult:
    """Raises HTTPException."""
    try:
        return await schema.execute(
            data.query,
            data.variables,
            asked.context,
            operation_name=data.operation_name,
            allowed_operation_types=HARMLESS if asked.method == "GET" else None,
            operation_extensions=data.extensions,
        )
    except MissingQueryError:
        reason = "No GraphQL query found in the request"
    except CannotGetOperationTypeError as error:
        reason = error.as_http_error_reason()
    except InvalidOperationTypeError as error:
        reason = error.as_http_error_reason(asked.method)
    raise HTTPException(400, reason)

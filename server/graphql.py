"""GraphQL over HTTP (graphql.github.io/graphql-over-http), on Strawberry's view."""

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

from core.credentials import AccessTokens
from schema.context import Context
from schema.errors import presented
from schema.schema import schema
from server.explorer import PAGE_HEADERS, page
from server.middleware import BodyTooLarge
from server.request import context_of
from server.responses import error_response

log = logging.getLogger("parley.graphql")

RESPONSE_TYPE = "application/graphql-response+json"
REFUSED = 400


class GraphQLView(GraphQL[Context, None]):
    def __init__(self, tokens: AccessTokens) -> None:
        super().__init__(schema, subscription_protocols=())
        self.tokens = tokens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            response = await self.run(request)
        except HTTPException as refusal:
            response = error_response(refusal.status_code, "BAD_REQUEST", refusal.reason)
        except (BodyTooLarge, ClientDisconnect):
            raise
        except Exception:
            request_id = request.state.request_id
            log.exception("request %s failed", request_id)
            response = error_response(500, "INTERNAL", "Internal error.", requestId=request_id)
        accept = request.headers.get("accept", "")
        if RESPONSE_TYPE in accept and response.media_type == "application/json":
            response.headers["content-type"] = f"{RESPONSE_TYPE}; charset=utf-8"
            if bytes(response.body).startswith(b'{"errors"') and response.status_code < REFUSED:
                response.status_code = REFUSED
        await response(scope, receive, send)

    async def get_context(
        self,
        request: Request | WebSocket,
        response: Response | WebSocket,  # noqa: ARG002
    ) -> Context:
        return await context_of(request, self.tokens)

    async def process_result(self, request: Request, result: Any) -> GraphQLHTTPResponse:
        # Here, and not in an extension: extensions can fail too.
        request_id = request.state.request_id
        result.errors = [presented(error, request_id) for error in result.errors or ()]
        answer = await super().process_result(request, result)
        # A request error, unlike one of a field, leaves no data at all: nothing was executed.
        if answer["data"] is None and not any(error.path for error in result.errors):
            del answer["data"]
        return answer

    async def render_graphql_ide(self, request: Request) -> Response:  # noqa: ARG002
        html = page()
        if html is None:
            return HTMLResponse(self.graphql_ide_html)
        return HTMLResponse(html, headers=PAGE_HEADERS)

    def decode_json(self, data: str | bytes) -> object:
        decoded = orjson.loads(data)
        if not isinstance(decoded, dict | list):
            raise HTTPException(400, "The body must be a JSON object.")
        return decoded

    def encode_json(self, data: object) -> bytes:
        return orjson.dumps(data)

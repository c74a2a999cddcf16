"""An HTTP request for an operation, and what its answer tells beside the operation's result."""

import json
from collections.abc import Mapping
from typing import Any

import orjson
from cross_web import HTTPException
from starlette.datastructures import QueryParams
from starlette.responses import Response
from starlette.types import Receive, Scope
from strawberry.http import GraphQLRequestData
from strawberry.http.parse_content_type import parse_content_type
from strawberry.http.streaming import SSETransport

from schema.context import Context
from server.refresh_cookie import set_refresh_cookie
from server.responses import budget_headers, seconds

RESPONSE_TYPE = "application/graphql-response+json"
REFUSED = 400
JSON = "application/json"
EVENTS = SSETransport()
PARAMETERS: tuple[tuple[str, type, str], ...] = (
    ("query", str, "a string"),
    ("variables", dict, "an object"),
    ("extensions", dict, "an object"),
    ("operationName", str, "a string"),
)


class Asked:
    """As Strawberry reads a request."""

    context: Context | None = None
    is_refused = False
    """Whether nothing was executed."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self.scope, self.receive = scope, receive
        self.method: Any = scope["method"]
        self.headers: dict[str, str] = scope["state"]["headers"]
        self.id: str = scope["state"]["request_id"]
        self.body = b""

    @property
    def accepts_events(self) -> bool:
        accept = self.headers.get("accept", "").lower()
        return "event-stream" in accept and EVENTS.accepts(accept)

    @property
    def query_params(self) -> QueryParams:
        return QueryParams(self.scope["query_string"])

    def operation(self) -> GraphQLRequestData:
        """Raises HTTPException."""
        if self.method == "GET":
            read: Any = _in_query(self.query_params)
        elif _is_json(self.headers.get("content-type", "")):
            read = read_json(self.body)
        else:
            raise HTTPException(400, "Unsupported content type")
        if isinstance(read, list):
            raise HTTPException(400, "Batching is not enabled")
        for name, kind, noun in PARAMETERS:
            if not isinstance(read.get(name), kind | None):
                message = f"The GraphQL operation's `{name}` must be {noun} or null, if provided."
                raise HTTPException(400, message)
        return GraphQLRequestData(
            query=read.get("query"),
            variables=read.get("variables"),
            operation_name=read.get("operationName"),
            extensions=read.get("extensions"),
        )

    def tell(self, response: Response) -> None:
        if response.media_type == JSON:
            self._negotiate(response)
        if self.context is not None:
            _tell(response, self.context)

    def _negotiate(self, response: Response) -> None:
        """In GraphQL's own media type a status tells what happened, in plain JSON it is 200."""
        if RESPONSE_TYPE in self.headers.get("accept", ""):
            response.headers["content-type"] = f"{RESPONSE_TYPE}; charset=utf-8"
            if self.is_refused:
                response.status_code = REFUSED


def _tell(response: Response, context: Context) -> None:
    if context.budgets:
        budget = min(context.budgets, key=lambda budget: budget.remaining / budget.limit)
        response.raw_headers += budget_headers(budget)
    if context.retry_after:
        response.headers["Retry-After"] = seconds(context.retry_after)
    if context.refresh_cookie:
        set_refresh_cookie(response, context.refresh_cookie, context.services.settings)


def _is_json(content_type: str) -> bool:
    return content_type == JSON or JSON in parse_content_type(content_type)[0]


def _in_query(parameters: Mapping[str, str]) -> dict[str, Any]:
    read: dict[str, Any] = dict(parameters)
    for name in ("variables", "extensions"):
        if read.get(name):
            read[name] = read_json(read[name])
    return read


def read_json(data: str | bytes) -> object:
    """Raises HTTPException. Half of a surrogate pair is JSON (RFC 8259, 8.2), though no text, and
    orjson refuses it with all that comes with it. Read, it can be told in which field it is."""
    try:
        read = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        refusal = HTTPException(400, "Unable to parse request body as JSON")
        if "surrogate" not in error.msg:
            raise refusal from error
        try:
            read = json.loads(data)
        except (ValueError, RecursionError):
            raise refusal from None
    if not isinstance(read, dict | list):
        raise HTTPException(400, "The body must be a JSON object.")
    return read

"""An HTTP request for an operation, and what its answer tells beside the operation's result."""

import json

import orjson
from cross_web import HTTPException
from starlette.datastructures import QueryParams
from starlette.responses import Response
from starlette.types import Receive, Scope

from schema.context import Context
from server.refresh_cookie import set_refresh_cookie
from server.responses import budget_headers, seconds

RESPONSE_TYPE = "application/graphql-response+json"
REFUSED = 400


class Asked:
    """As Strawberry reads a request."""

    context: Context | None = None
    is_refused = False
    """Whether nothing was executed."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self.scope, self.receive = scope, receive
        self.method: str = scope["method"]
        self.headers: dict[str, str] = scope["state"]["headers"]
        self.content_type = self.headers.get("content-type")
        self.id: str = scope["state"]["request_id"]
        self.body = b""

    @property
    def query_params(self) -> QueryParams:
        return QueryParams(self.scope["query_string"])

    async def get_body(self) -> bytes:
        return self.body

    def tell(self, response: Response) -> None:
        if response.media_type == "application/json":
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


def read_json(data: str | bytes) -> object:
    """Raises HTTPException, and ValueError for what is no JSON. Half of a surrogate pair is JSON
    (RFC 8259, 8.2), though no text: orjson refuses it with all that comes with it. Read, it can be
    told in which field it is."""
    try:
        read = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        if "surrogate" not in error.msg:
            raise
        try:
            read = json.loads(data)
        except (ValueError, RecursionError):
            raise error from None
    if not isinstance(read, dict | list):
        raise HTTPException(400, "The body must be a JSON object.")
    return read

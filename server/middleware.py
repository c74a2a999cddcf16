"""Plain ASGI, so that context variables and cancellation pass through."""

import re
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.responses import error_response

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")

ANSWERS = ("http.response.start", "websocket.accept", "websocket.http.response.start")


class RequestId:
    """Takes the caller's X-Request-Id or makes one; the answer carries it."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        # Anything goes into logs: a forged id must not forge lines.
        request_id = given if REQUEST_ID.fullmatch(given) else uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id

        async def send_with_id(message: Message) -> None:
            if message["type"] in ANSWERS:
                MutableHeaders(scope=message)["x-request-id"] = request_id
            await send(message)

        await self.app(scope, receive, send_with_id)


class BodyTooLarge(Exception):
    """Raised to whoever reads on."""


class BodyLimit:
    """Refuses a body over `limit` bytes, announced or not, before it is held in memory."""

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self.app = app
        self.limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        received = 0

        async def receive_limited() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self.limit:
                raise BodyTooLarge
            return message

        announced = Headers(scope=scope).get("content-length", "0")
        try:
            if announced.isdecimal() and int(announced) > self.limit:
                raise BodyTooLarge
            await self.app(scope, receive_limited, send)
        except BodyTooLarge:
            message = f"The body is larger than {self.limit} bytes."
            await error_response(413, "BODY_TOO_LARGE", message)(scope, receive, send)

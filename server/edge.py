"""What each request passes first: it gets an id, and its body a limit; browsers get what they ask.
Plain ASGI, so that context variables and cancellation pass through."""

import re
from typing import Any

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uuid_utils import uuid4

from server.responses import error_response

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")

ANSWERS = ("http.response.start", "websocket.accept", "websocket.http.response.start")

VARY = (b"vary", b"Origin")
"""Also where no Origin came: caches must know."""


LONGEST_LENGTH = 18
"""Digits. Python refuses to read thousands, and a body of as many bytes is too large."""


class BodyTooLarge(Exception):
    """Raised to whoever reads on."""


class Edge:
    def __init__(self, app: ASGIApp, limit: int, **cross_origin: Any) -> None:
        """`limit`: bytes of a body, announced or not, which are not held in memory before."""
        self.app = app
        self.limit = limit
        self.cross_origin = CORSMiddleware(self._limited, **cross_origin)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        state = scope.setdefault("state", {})
        headers = state["headers"] = headers_of(scope)
        given = headers.get("x-request-id", "")
        # Anything goes into logs: a forged id must not forge lines.
        request_id = state["request_id"] = given if REQUEST_ID.fullmatch(given) else uuid4().hex
        told = [(b"x-request-id", request_id.encode())]
        if scope["type"] == "websocket":
            app = self.app
        elif "origin" in headers or scope["method"] == "OPTIONS":
            app = self.cross_origin
        else:
            app = self._limited
            told.append(VARY)

        async def send_and_tell(message: Message) -> None:
            if message["type"] in ANSWERS:
                message["headers"] = [*message.get("headers", ()), *told]
            await send(message)

        await app(scope, receive, send_and_tell)

    async def _limited(self, scope: Scope, receive: Receive, send: Send) -> None:
        received = 0

        async def receive_limited() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self.limit:
                raise BodyTooLarge
            return message

        try:
            if self._announces_more(scope["state"]["headers"].get("content-length", "0")):
                raise BodyTooLarge
            await self.app(scope, receive_limited, send)
        except BodyTooLarge:
            message = f"The body is larger than {self.limit} bytes."
            await error_response(413, "BODY_TOO_LARGE", message)(scope, receive, send)

    def _announces_more(self, length: str) -> bool:
        return length.isdecimal() and int(length[:LONGEST_LENGTH]) > self.limit


def headers_of(scope: Scope) -> dict[str, str]:
    """By lower-case name, the first of each."""
    return {
        name.decode("latin-1"): text.decode("latin-1") for name, text in reversed(scope["headers"])
    }

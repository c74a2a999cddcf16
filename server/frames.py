"""What goes over a socket: text frames of JSON, each a message of graphql-transport-ws."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import suppress
from typing import Annotated, Any, Literal

from cross_web import HTTPException
from pydantic import BaseModel, Field, TypeAdapter, ValidationError
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState
from strawberry.asgi import ASGIWebSocketAdapter
from strawberry.http.exceptions import (
    NonJsonMessageReceived,
    NonTextMessageReceived,
    WebSocketDisconnected,
)

TOO_BIG = 1009
CLOSE_SECONDS = 1.0
"""For a client to take the reason why its socket is closed."""

LONGEST_REASON = 123
"""Bytes, as WebSocket's close frame has room for."""

# A peer that is gone, or a socket that this side has closed already.
GONE = (WebSocketDisconnect, OSError, RuntimeError)


class Frames(ASGIWebSocketAdapter):
    view: Any
    """Our own, which uses this."""

    ws: WebSocket
    size = 0
    """Bytes of the message that came last."""

    async def iter_json(
        self,
        *,
        ignore_parsing_errors: bool = False,  # noqa: ARG002
    ) -> AsyncGenerator[object, None]:
        """Until the socket is closed. Raises what Strawberry's handler answers with 4400."""
        while self.ws.application_state is WebSocketState.CONNECTED:
            frame = await self.ws.receive()
            if frame["type"] == "websocket.disconnect":
                return
            text = frame.get("text")
            if text is None:
                raise NonTextMessageReceived
            limit = self.view.services.settings.max_body_bytes
            self.size = len(text.encode())
            if self.size > limit:
                await self.close(TOO_BIG, f"The message is larger than {limit} bytes.")
                return
            try:
                message = self.view.decode_json(text)
            except (ValueError, HTTPException) as error:
                raise NonJsonMessageReceived from error
            yield message

    async def send_json(self, message: Mapping[str, object]) -> None:
        """Waits until there is room for it. Raises WebSocketDisconnected."""
        try:
            await self.ws.send_text(self.view.encode_json(message).decode())
        except GONE as error:
            raise WebSocketDisconnected from error

    async def close(self, code: int, reason: str) -> None:
        reason = reason.encode()[:LONGEST_REASON].decode(errors="ignore")
        with suppress(*GONE):  # TimeoutError is an OSError
            async with asyncio.timeout(CLOSE_SECONDS):
                await self.ws.close(code, reason)


class Init(BaseModel):
    type: Literal["connection_init"]
    payload: dict[str, Any] | None = None


class Sign(BaseModel):
    type: Literal["ping", "pong"]
    payload: dict[str, Any] | None = None


class Request(BaseModel):
    query: str
    operation_name: str | None = Field(None, alias="operationName")
    variables: dict[str, Any] | None = None
    extensions: dict[str, Any] | None = None


class Subscribe(BaseModel):
    type: Literal["subscribe"]
    id: str
    payload: Request


class Complete(BaseModel):
    type: Literal["complete"]
    id: str


MESSAGE: TypeAdapter[Init | Sign | Subscribe | Complete] = TypeAdapter(
    Annotated[Init | Sign | Subscribe | Complete, Field(discriminator="type")]
)


def is_message(value: Any) -> bool:
    """Whether it is a Message that a client may send."""
    try:
        MESSAGE.validate_python(value)
    except ValidationError:
        return False
    return True

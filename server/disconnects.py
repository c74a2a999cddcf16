"""Clients that hang up. ASGI servers only tell, they do not cancel."""

import asyncio
import logging
from types import TracebackType

from starlette.requests import ClientDisconnect
from starlette.types import Receive

log = logging.getLogger("parley.graphql")

SOON = 0.1
"""Seconds that something takes before anybody looks whether the client has gone."""


class WhileConnected:
    """What runs inside is cancelled when the client hangs up, down to the statement in PostgreSQL;
    then it raises ClientDisconnect. The body must have been read."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._watching: asyncio.Task[None] | None = None
        self._has_gone = False

    def __enter__(self) -> None:
        self._task = asyncio.current_task()
        self._timer = asyncio.get_running_loop().call_later(SOON, self._watch)

    def __exit__(
        self, kind: type[BaseException] | None, error: object, traceback: TracebackType | None
    ) -> None:
        self._timer.cancel()
        if self._watching is not None:
            self._watching.cancel()
        task, self._task = self._task, None
        if self._has_gone and task is not None:
            others = task.uncancel()
            if not others and kind is asyncio.CancelledError:
                raise ClientDisconnect from None

    def _watch(self) -> None:
        self._watching = asyncio.ensure_future(disconnected(self._receive))
        self._watching.add_done_callback(self._cancel)

    def _cancel(self, watching: asyncio.Task[None]) -> None:
        if self._task is not None and not watching.cancelled():
            if error := watching.exception():
                log.error("the client cannot be heard any more", exc_info=error)
            self._has_gone = True
            self._task.cancel()


async def disconnected(receive: Receive) -> None:
    """Returns when the client is gone. The body must have been read."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def body_of(receive: Receive) -> bytes:
    """Raises ClientDisconnect when it does not come as a whole."""
    parts = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)

import asyncio
import signal
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

Leave = Callable[[], Coroutine[Any, Any, None]]


class Lifespan:
    """Starts and stops what the app needs. Why it cannot start is one line for the operator,
    where Starlette would show a traceback."""

    def __init__(
        self,
        app: ASGIApp,
        start: Callable[[], Awaitable[None]],
        leave: Leave,
        stop: Callable[[], Awaitable[None]],
    ) -> None:
        """`leave` is called when the process is told to stop, while it still serves."""
        self.app = app
        self.start = start
        self.leave = leave
        self.stop = stop

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await self.app(scope, receive, send)
            return
        await receive()
        try:
            await self.start()
        except Exception as error:  # noqa: BLE001 - the server must say why, whatever it is
            await self.stop()
            reason = f"{type(error).__name__}: {error}"
            await send({"type": "lifespan.startup.failed", "message": reason})
            return
        with before_exit(self.leave):
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await self.stop()
        await send({"type": "lifespan.shutdown.complete"})


@contextmanager
def before_exit(leave: Leave) -> Iterator[None]:
    """What stops the server first calls `leave`, once: the server itself drops sockets, with what
    runs on them, as soon as it hears the signal. The second signal is the server's alone."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals are not for us
        return
    loop = asyncio.get_running_loop()
    numbers = (signal.SIGTERM, signal.SIGINT)
    before = {number: signal.getsignal(number) for number in numbers}
    leaving: list[asyncio.Task[None]] = []

    def restore() -> None:
        for number in numbers:
            if signal.getsignal(number) is told:
                signal.signal(number, before[number])

    def told(number: int, _: FrameType | None) -> None:
        restore()
        loop.call_soon_threadsafe(start, number)

    def start(number: int) -> None:
        leaving.append(loop.create_task(leave()))
        leaving[0].add_done_callback(lambda _: signal.raise_signal(number))

    for number in numbers:
        if callable(before[number]):
            signal.signal(number, told)
    try:
        yield
    finally:
        restore()

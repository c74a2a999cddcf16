from collections.abc import Awaitable, Callable

from starlette.types import ASGIApp, Receive, Scope, Send


class Lifespan:
    """Starts and stops what the app needs. Why it cannot start is one line for the operator,
    where Starlette would show a traceback."""

    def __init__(
        self,
        app: ASGIApp,
        start: Callable[[], Awaitable[None]],
        stop: Callable[[], Awaitable[None]],
    ) -> None:
        self.app = app
        self.start = start
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
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.stop()
        await send({"type": "lifespan.shutdown.complete"})

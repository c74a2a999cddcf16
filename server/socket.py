"""graphql-transport-ws (github.com/enisdenjo/graphql-ws, PROTOCOL.md), on Strawberry's handler.

The payload of connection_init stands for HTTP's headers, in each operation anew: sessions end.
"""

import asyncio
import logging
import sys
from contextlib import aclosing, suppress
from typing import Any
from uuid import UUID

from graphql import GraphQLError
from strawberry.http.exceptions import WebSocketDisconnected
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import (
    BaseGraphQLTransportWSHandler,
    Operation,
)
from strawberry.subscriptions.protocols.graphql_transport_ws.types import (
    CompleteMessage,
    ConnectionInitMessage,
    Message,
    SubscribeMessage,
)
from strawberry.types import ExecutionResult

from core.errors import GoingAway, LimitReached, RateLimited, RuleError
from resolvers.database import is_outage
from resolvers.services import Services
from schema.context import Context
from schema.errors import as_graphql_error, is_refused, presented
from server.connections import FINISH_SECONDS, Connections
from server.frames import CLOSE_SECONDS, Frames, is_message
from server.request import caller_of, context_of

log = logging.getLogger("parley.graphql")

GOING_AWAY, FAILED, TRY_LATER = 1001, 1011, 1013
FORBIDDEN = 4403
CODES: dict[type[RuleError], int] = {
    GoingAway: GOING_AWAY,
    LimitReached: TRY_LATER,
    RateLimited: TRY_LATER,
}
"""Of what closes a socket; else FORBIDDEN, upon which clients come back with another token."""

LARGE_MESSAGES = 4
"""That all operations that run on a socket may be as large as, together."""


class Socket(BaseGraphQLTransportWSHandler[Context, None]):
    view: Any
    """Our own, which uses this."""

    websocket: Frames

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.services: Services = self.view.services
        self.connections: Connections = self.view.connections
        self.credentials: dict[str, str] = {}
        self.contexts: dict[Operation[Context, None], Context] = {}
        """Of the operations that run. An id may be used again before they have ended."""

        self._sizes: dict[str, int] = {}
        """Bytes of what runs, by its id."""

        self._user_id: UUID | None = None
        self._watching: asyncio.Task[None] | None = None
        self._is_leaving = False
        init_seconds = self.connection_init_wait_timeout.total_seconds()
        self._patience = asyncio.timeout(init_seconds + CLOSE_SECONDS)

    async def handle(self) -> None:
        with suppress(TimeoutError):
            async with self._patience:
                await super().handle()

    async def shutdown(self) -> None:
        if self._watching:
            self._watching.cancel()
        if self._user_id:
            self.connections.remove(self._user_id, self)
        await super().shutdown()

    async def leave(self) -> None:
        self._is_leaving = True
        answering = [
            operation.task
            for operation, context in self.contexts.items()
            if operation.task and not context.is_following
        ]
        if answering:
            await asyncio.wait(answering, timeout=FINISH_SECONDS)
        await self._refuse(GoingAway())

    async def end(self, code: int, reason: str) -> None:
        """Nothing more is said, and whoever does not read is not waited for."""
        self._lose_patience(CLOSE_SECONDS)
        for id in list(self.operations):
            await self.cleanup_operation(id)
        await self.websocket.close(code, reason)

    def _lose_patience(self, seconds: float) -> None:
        with suppress(RuntimeError):  # it has ended already
            self._patience.reschedule(asyncio.get_running_loop().time() + seconds)

    async def handle_message(self, message: Message) -> None:
        if not is_message(message):
            await self.handle_invalid_message("Not a message of graphql-transport-ws")
            return
        try:
            await super().handle_message(message)
        except WebSocketDisconnected:
            raise
        except Exception:  # noqa: BLE001 - it is logged there
            await self._fail()

    async def handle_connection_init(self, message: ConnectionInitMessage) -> None:
        payload = message["payload"] = message.get("payload") or {}
        if not self.connection_init_received:
            self.credentials = {
                name.casefold(): text for name, text in payload.items() if isinstance(text, str)
            }
            try:
                await self._enter()
            except RuleError as refusal:
                await self._refuse(refusal)
                return
        await super().handle_connection_init(message)

    async def _enter(self) -> None:
        context = await self._new_context()
        self.connections.add(context.identity.user_id, self)
        self._user_id = context.identity.user_id
        self._patience.reschedule(None)
        self._watching = asyncio.create_task(self._watch(context))

    async def _watch(self, context: Context) -> None:
        """As long as the session lasts. Without it nobody would know."""
        try:
            ended = await self.services.subscriptions.ended(context.identity, context.expires_at)
        except Exception:  # noqa: BLE001 - it is logged there
            await self._fail()
        else:
            await self._refuse(ended)

    async def _refuse(self, refusal: RuleError) -> None:
        code = CODES.get(type(refusal), FORBIDDEN)
        await self.end(code, f"{refusal.code}: {refusal.message}")

    async def _fail(self) -> None:
        """Clients do not come back after FAILED."""
        log.exception("socket %s failed", self._request_id)
        code = TRY_LATER if is_outage(sys.exc_info()[1]) else FAILED
        await self.end(code, "INTERNAL: Internal error.")

    async def handle_subscribe(self, message: SubscribeMessage) -> None:
        if self._is_leaving:
            return  # its client asks again where it goes
        if refusal := self._exceeded_by(message["id"]):
            error = presented(as_graphql_error(refusal), self._request_id)
            await self.send_message(
                {"type": "error", "id": message["id"], "payload": [error.formatted]}
            )
            return
        await super().handle_subscribe(message)

    def _exceeded_by(self, id: str) -> LimitReached | None:
        """What runs holds its document and its variables as long as it runs."""
        settings, running = self.services.settings, self.operations
        self._sizes = {id: size for id, size in self._sizes.items() if id in running}
        if id in running:
            return None  # Strawberry refuses it
        self._sizes[id] = self.websocket.size
        if len(running) >= settings.max_operations:
            return LimitReached(f"More than {settings.max_operations} operations.")
        most = LARGE_MESSAGES * settings.max_body_bytes
        if sum(self._sizes.values()) > most:
            return LimitReached(f"Operations of more than {most} bytes.")
        return None

    async def run_operation(self, operation: Operation[Context, None]) -> None:
        try:
            await self._answer(operation)
        except WebSocketDisconnected:
            pass
        except Exception as error:  # noqa: BLE001
            shown = presented(GraphQLError(str(error), original_error=error), self._request_id)
            with suppress(WebSocketDisconnected):
                await operation.send_initial_errors([shown])
        finally:
            self.contexts.pop(operation, None)

    async def _answer(self, operation: Operation[Context, None]) -> None:
        context = self.contexts[operation] = await self._new_context()
        results = await self.schema.stream(
            operation.query,
            variable_values=operation.variables,
            context_value=context,
            operation_name=operation.operation_name,
        )
        async with aclosing(results):
            async for result in results:
                assert isinstance(result, ExecutionResult), "nothing is deferred"
                result.errors = [presented(e, self._request_id) for e in result.errors or ()]
                if is_refused(result):
                    await operation.send_initial_errors(result.errors)
                    return
                await operation.send_next(result)
        await operation.send_operation_message(CompleteMessage(id=operation.id, type="complete"))

    async def send_message(self, message: Message) -> None:
        """Waits for a client that reads slowly. Raises WebSocketDisconnected."""
        try:
            async with asyncio.timeout(self.services.settings.send_seconds):
                await super().send_message(message)
        except TimeoutError:
            self._lose_patience(0)
            raise WebSocketDisconnected from None

    async def _new_context(self) -> Context:
        return await context_of(self.services, caller_of(self.websocket.ws.scope), self.credentials)

    @property
    def _request_id(self) -> str:
        return str(self.websocket.ws.state.request_id)

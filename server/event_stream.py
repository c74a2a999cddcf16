"""GraphQL over Server-Sent Events, distinct connections (graphql-sse, PROTOCOL.md)."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, suppress

from cross_web import HTTPException
from graphql import GraphQLError, OperationType, get_operation_ast, parse
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from strawberry.http import GraphQLRequestData

from core.errors import GoingAway, LimitReached
from schema.context import Context
from schema.schema import MAX_TOKENS
from server.asked import Asked
from server.connections import FINISH_SECONDS, Connections
from server.disconnects import disconnected
from server.refresh_cookie import asks_for_cookie
from server.responses import error_response

log = logging.getLogger("parley.graphql")


class EventStream(Response):
    def __init__(
        self,
        context: Context,
        connections: Connections,
        operation: AsyncGenerator[object, None],
        events: AsyncGenerator[str, None],
        headers: Mapping[str, str],
    ) -> None:
        super().__init__(headers=headers)
        del self.headers["content-length"]
        self.context, self.connections = context, connections
        self.operation, self.events = operation, events
        self._leaving = asyncio.Event()
        self._done = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        who = self.context.who
        try:
            if who:
                self.connections.add(who.user_id, self)
        except (LimitReached, GoingAway) as refusal:
            status = 429 if isinstance(refusal, LimitReached) else 503
            await error_response(status, refusal.code, refusal.message)(scope, receive, send)
            return
        try:
            await self._serve(receive, send)
        finally:
            self._done.set()
            if who:
                self.connections.remove(who.user_id, self)

    async def leave(self) -> None:
        """Without `complete`, which would tell the client that nothing more is to come."""
        if not self.context.is_following:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._done.wait(), FINISH_SECONDS)
        self._leaving.set()
        await self._done.wait()

    async def _serve(self, receive: Receive, send: Send) -> None:
        """Until all is sent, the client hangs up or does not read, or the process stops."""
        sending = asyncio.create_task(self._send(send))
        watching = [disconnected(receive), self._leaving.wait()]
        tasks = [sending, *map(asyncio.ensure_future, watching)]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        failure = None if sending.cancelled() else sending.exception()
        if not isinstance(failure, TimeoutError):
            if failure:
                log.error("request %s failed", self.context.caller.request_id, exc_info=failure)
            with suppress(TimeoutError):
                await self._put(send, b"", more=False)

    async def _send(self, send: Send) -> None:
        headers = self.raw_headers
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        async with aclosing(self.operation), aclosing(self.events):
            async for event in self.events:
                await self._put(send, event.encode())

    async def _put(self, send: Send, body: bytes, *, more: bool = True) -> None:
        """Raises TimeoutError when the client does not read."""
        async with asyncio.timeout(self.context.services.settings.send_seconds):
            await send({"type": "http.response.body", "body": body, "more_body": more})


def wants_events(data: GraphQLRequestData, asked: Asked) -> bool:
    """Whether a request that accepts an event stream is to have one. Raises HTTPException when it
    cannot."""
    # Some clients always accept both; JSON has a status, and may set a cookie.
    if "json" in asked.headers.get("accept", "") and not _subscribes(data):
        return False
    # Pages of other sites can send a GET without asking first.
    if asked.method != "POST":
        raise HTTPException(405, "An event stream is asked for with POST.")
    if asks_for_cookie(asked.headers):
        raise HTTPException(406, "An event stream sets no cookie: accept JSON.")
    return True


def _subscribes(data: GraphQLRequestData) -> bool:
    """Whether it does, as far as that can be told."""
    try:
        document = parse(data.query or "", no_location=True, max_tokens=MAX_TOKENS)
    except GraphQLError:
        return False
    operation = get_operation_ast(document, data.operation_name)
    return operation is not None and operation.operation is OperationType.SUBSCRIPTION

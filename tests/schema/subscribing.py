"""Subscriptions without a server around them."""

from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

from strawberry.types import ExecutionResult

from core.errors import RuleError
from core.time import now
from core.viewer import Caller, Identity
from resolvers.message_change import Cursors
from resolvers.services import Services
from schema.context import Context
from schema.schema import schema
from tests.graph import SETTINGS, Person
from tests.schema.workspace import gid

OFTEN = 0.05
"""Seconds after which they look by themselves: nobody tells them of anything."""

INBOX = "subscription { inboxChanges { id } }"


@asynccontextmanager
async def subscribed(
    who: Person | None, tenant: str, query: str, **variables: Any
) -> AsyncIterator[AsyncIterator[ExecutionResult]]:
    services = new_services()
    try:
        async with subscribed_at(services, who, tenant, query, **variables) as results:
            yield results
    finally:
        await services.stop()


def new_services() -> Services:
    return Services.of(SETTINGS.model_copy(update={"subscription_poll_seconds": OFTEN}))


@asynccontextmanager
async def subscribed_at(
    services: Services, who: Person | None, tenant: str, query: str, **variables: Any
) -> AsyncIterator[AsyncIterator[ExecutionResult]]:
    context = Context(services, Caller("test"), tenant, expires_at=now() + timedelta(minutes=5))
    if who:
        await context.identify(Identity(who.id, who.session_id))
    results = await schema.stream(query, variable_values=variables, context_value=context)
    async with aclosing(results):
        yield results


def changes_of(tenant_id: UUID, talk: UUID, select: str) -> tuple[str, dict[str, str]]:
    """From the beginning on."""
    query = f"""subscription ($id: ID!, $after: String) {{
        messageChanges(conversationId: $id, after: $after) {{ {select} }} }}"""
    after = Cursors(tenant_id, talk).cursor(0)
    return query, {"id": gid("Conversation", talk), "after": after}


async def first(results: AsyncIterator[ExecutionResult]) -> Any:
    """The next data, or the code of what went wrong."""
    result = await anext(results)
    if result.errors:
        (error,) = result.errors
        assert isinstance(error.original_error, RuleError), error
        return error.original_error.code
    return result.data

"""From a request to who asks, from where, and in which workspace."""

from collections.abc import Mapping

from starlette.types import Scope

from core.errors import Unauthenticated
from core.rate_limit import network
from core.viewer import Caller, Viewer
from resolvers.services import Services
from schema.context import Context, RefreshCookie


async def context_of(
    services: Services,
    caller: Caller,
    credentials: Mapping[str, str],
    refresh_cookie: RefreshCookie | None = None,
) -> Context:
    """Of one operation; `credentials` are headers, by lower-case name. A token that is not accepted
    is remembered rather than raised: signing in again must work with the old one still attached.
    Raises RateLimited."""
    context = Context(
        services=services,
        caller=caller,
        tenant=credentials.get("x-tenant"),
        refresh_cookie=refresh_cookie,
    )
    await count_address(context)
    header = credentials.get("authorization")
    if header is None:
        return context
    try:
        claimed, context.expires_at = services.tokens.verify(_bearer(header))
        identity = await context.identify(claimed)
    except Unauthenticated as refusal:
        context.refusal = refusal
        return context
    services.activity.note(identity.session_id)
    await _count_viewer(context)
    return context


def caller_of(scope: Scope) -> Caller:
    state, client = scope["state"], scope.get("client")
    return Caller(
        request_id=state["request_id"],
        ip_address=client[0] if client else None,
        user_agent=state["headers"].get("user-agent"),
    )


def _bearer(header: str) -> str:
    scheme, _, token = header.partition(" ")
    if scheme.casefold() != "bearer":
        raise Unauthenticated("Send Authorization: Bearer <access token>.")
    return token.strip()


async def count_address(context: Context) -> None:
    """Raises RateLimited."""
    limit = context.services.settings.limit_address
    await context.count(limit, "address", network(context.caller.ip_address))


async def _count_viewer(context: Context) -> None:
    settings, who = context.services.settings, context.identity
    await context.count(settings.limit_user, "user", str(who.user_id))
    if isinstance(who, Viewer):
        await context.count(settings.limit_tenant, "tenant", str(who.tenant_id))

"""The ASGI app of `uvicorn --factory server.app:create_app`, as docs/operations.md starts it."""

from starlette.applications import Starlette
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from core.settings import Settings
from resolvers.database import close_database, open_database
from resolvers.services import Services
from server.edge import Edge
from server.explorer import assets
from server.garbage import spare_garbage_collection
from server.graphql import GraphQLView
from server.health import healthz, readyz
from server.lifespan import Lifespan
from server.logs import log_to_stderr
from server.metrics import metrics_route
from server.refresh_cookie import HEADER, REFRESH_PATH
from server.responses import BUDGET_HEADERS

GRAPHQL_PATH = "/graphql"
ALLOWED_HEADERS = ["Authorization", "Content-Type", "X-Tenant", "X-Request-Id", HEADER]
EXPOSED_HEADERS = ["X-Request-Id", "Retry-After", *BUDGET_HEADERS]


def create_app(settings: Settings | None = None) -> ASGIApp:
    settings = settings or Settings()
    log_to_stderr()
    services = Services.of(settings)
    graphql = GraphQLView(services)
    app = Starlette(
        routes=[
            Route(GRAPHQL_PATH, graphql),
            WebSocketRoute(GRAPHQL_PATH, graphql),
            Route(REFRESH_PATH, graphql),
            Route("/healthz", healthz),
            Route("/readyz", readyz),
            *([metrics_route(settings.metrics_token)] if settings.metrics_token else []),
            assets(),
        ],
    )

    async def route(scope: Scope, receive: Receive, send: Send) -> None:
        # Where Starlette would lead too, through more layers.
        is_plain = scope["type"] == "http" and scope["path"] == GRAPHQL_PATH
        await (graphql if is_plain else app)(scope, receive, send)

    edge = Edge(
        route,
        settings.max_body_bytes,
        allow_origins=settings.allowed_origins,
        allow_methods=["GET", "POST"],
        allow_credentials=settings.refresh_cookie,
        allow_headers=ALLOWED_HEADERS,
        expose_headers=EXPOSED_HEADERS,
        max_age=86400,
    )

    async def start() -> None:
        await open_database(settings)
        await services.start()
        spare_garbage_collection()

    async def stop() -> None:
        await services.stop()
        await close_database()

    return Lifespan(edge, start=start, leave=graphql.connections.leave, stop=stop)

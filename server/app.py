"""The ASGI app: `uvicorn --factory server.app:create_app`."""

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Route
from starlette.types import ASGIApp

from core.credentials import AccessTokens
from core.settings import Settings
from resolvers.database import close_database, open_database
from server.explorer import assets
from server.graphql import GraphQLView
from server.health import healthz, readyz
from server.lifespan import Lifespan
from server.middleware import BodyLimit, RequestId


def create_app(settings: Settings | None = None) -> ASGIApp:
    settings = settings or Settings()
    app = Starlette(
        routes=[
            Route("/graphql", GraphQLView(AccessTokens.of(settings))),
            Route("/healthz", healthz),
            Route("/readyz", readyz),
            assets(),
        ],
        middleware=[
            Middleware(RequestId),
            Middleware(
                CORSMiddleware,
                allow_origins=settings.allowed_origins,
                allow_methods=["GET", "POST"],
                allow_headers=["Authorization", "Content-Type", "X-Tenant", "X-Request-Id"],
                expose_headers=["X-Request-Id"],
                max_age=86400,
            ),
            Middleware(BodyLimit, limit=settings.max_body_bytes),
        ],
    )
    return Lifespan(app, start=lambda: open_database(settings), stop=close_database)

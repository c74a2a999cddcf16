"""The refresh token of a browser app in a cookie, where no script reads it. Off unless
PARLEY_REFRESH_COOKIE is set.

The app sends the header X-Refresh-Cookie with what it asks, and refreshes at REFRESH_PATH, the only
place to which the browser sends the cookie. Other sites cannot send that header: a browser asks
first (CORS) whether they may. Nor do they get past SameSite, or the check of Origin.
"""

from starlette.requests import HTTPConnection
from starlette.responses import Response

from core.settings import Settings
from schema.context import RefreshCookie

HEADER = "X-Refresh-Cookie"
NAME = "__Secure-parley-refresh"
REFRESH_PATH = "/graphql/refresh"


def refresh_cookie_of(connection: HTTPConnection, settings: Settings) -> RefreshCookie | None:
    asked = settings.refresh_cookie and HEADER in connection.headers
    if connection.scope["type"] != "http" or not asked or not _is_trusted(connection, settings):
        return None
    return RefreshCookie(received=connection.cookies.get(NAME))


def _is_trusted(connection: HTTPConnection, settings: Settings) -> bool:
    """Whether the page that asks is ours. Programs send no Origin, browsers do with each POST."""
    origin, host = connection.headers.get("origin"), connection.headers.get("host")
    # Where TLS ends before us, our own scheme is not known.
    own = (f"https://{host}", f"http://{host}")
    return origin is None or origin in own or origin in settings.allowed_origins


def set_refresh_cookie(response: Response, cookie: RefreshCookie, settings: Settings) -> None:
    if cookie.sent is not None:
        response.set_cookie(
            NAME,
            cookie.sent,
            max_age=int(settings.session_seconds) if cookie.sent else 0,
            path=REFRESH_PATH,
            secure=True,
            httponly=True,
            samesite="strict",
        )

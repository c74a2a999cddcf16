"""The refresh token of a browser app in a cookie, where no script reads it. Off unless
PARLEY_REFRESH_COOKIE is set.

The app sends the header X-Refresh-Cookie with what it asks, and refreshes at REFRESH_PATH, the only
place to which the browser sends the cookie. Other sites cannot send that header: a browser asks
first (CORS) whether they may. Nor do they get past SameSite, or the check of Origin.
"""

from collections.abc import Mapping

from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import Scope

from core.settings import Settings
from schema.context import RefreshCookie

HEADER = "X-Refresh-Cookie"
NAME = "__Secure-parley-refresh"
REFRESH_PATH = "/graphql/refresh"


def refresh_cookie_of(scope: Scope, settings: Settings) -> RefreshCookie | None:
    headers = scope["state"]["headers"]
    asked = settings.refresh_cookie and asks_for_cookie(headers)
    if not asked or not _is_trusted(headers, settings):
        return None
    return RefreshCookie(received=HTTPConnection(scope).cookies.get(NAME))


def asks_for_cookie(headers: Mapping[str, str]) -> bool:
    return HEADER.lower() in headers


def _is_trusted(headers: Mapping[str, str], settings: Settings) -> bool:
    """Whether the page that asks is ours. Programs send no Origin, browsers do with each POST."""
    origin, host = headers.get("origin"), headers.get("host")
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

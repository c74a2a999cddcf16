"""GraphiQL from our own assets: what `npm run build` left in explorer/dist."""

from typing import Any

from starlette.responses import Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from core.settings import CHECKOUT

DIST = CHECKOUT / "explorer" / "dist"

# The page holds a token: nothing of another host may run in it, frame it or hear from it.
# Monaco writes style elements and inlines its icon font; 'self' covers WebSockets.
CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; worker-src 'self'; connect-src 'self';"
    " style-src 'self' 'unsafe-inline'; font-src 'self' data:; img-src 'self' data:;"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

PAGE_HEADERS = {
    "Content-Security-Policy": CONTENT_POLICY,
    "Cache-Control": "no-cache",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def page() -> str | None:
    """HTML to send with PAGE_HEADERS; None when the explorer has not been built."""
    try:
        return (DIST / "index.html").read_text(encoding="utf-8")
    except FileNotFoundError:
        return None


def assets() -> Mount:
    """What the page loads."""
    return Mount("/explorer/assets", Assets(directory=DIST / "assets", check_dir=False))


class Assets(StaticFiles):
    async def check_config(self) -> None:
        """Not built is not found; and it may be built while the server runs."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        # Their names contain a hash of what is in them.
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response

"""What `make run` runs: database, migrations, demo workspace, server, in this order."""

import asyncio
import select
import socket
import sys
from collections.abc import Callable
from contextlib import closing, suppress
from datetime import timedelta

import uvicorn

from core.credentials import AccessTokens
from core.settings import Settings
from ops.database import available
from ops.failure import Failure
from ops.migrate import migrate
from ops.seed import seed
from ops.token import TokenRequest, mint

APP = "server.app:create_app"
BACKLOG = 2048
GRACE_SECONDS = 3
LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - all interfaces are no address
ADMIN = TokenRequest(
    username="admin",
    tenant="demo",
    lifetime=timedelta(days=30),
    user_agent="make run",
    reuse_session=True,
)


class AnnouncedServer(uvicorn.Server):
    """Says that it is ready when it is."""

    def __init__(self, config: uvicorn.Config, announcement: str) -> None:
        super().__init__(config)
        self.announcement = announcement
        self.terminal = select.poll()
        if sys.stdin is not None and sys.stdin.isatty():
            self.terminal.register(sys.stdin, 0)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.announce()

    async def on_tick(self, counter: int) -> bool:
        """A closed terminal sends SIGHUP to its session's leader only. When that is make, nobody
        tells us: make waits until we have ended."""
        return await super().on_tick(counter) or bool(self.terminal.poll(0))

    def announce(self) -> None:
        with suppress(OSError):  # nobody reads
            print(self.announcement, flush=True)


def serve(settings: Settings, announce: Callable[[str], None], app: str = APP) -> None:
    """Until Ctrl-C, SIGTERM or the terminal is closed. Raises Failure."""
    if settings.environment == "production":
        raise Failure("python -m ops dev is for development: it mints a token for everybody")
    if settings.owner_database_url and not settings.database_url:
        raise Failure("set PARLEY_DATABASE_URL too: the server does not work as the tables' owner")
    # The port is taken now: nobody waits for the other steps in vain.
    with suppress(KeyboardInterrupt), closing(listen(settings.host, settings.port)) as listener:
        AccessTokens.of(settings)  # refuses bad keys before anything is started
        with available(settings, announce):
            asyncio.run(migrate(settings.owner_url, announce))
            announce(str(asyncio.run(seed(settings))))
            token = asyncio.run(mint(settings, ADMIN))
            config = uvicorn.Config(
                app,
                factory=True,
                loop="uvloop",
                http="server.http_protocol:WholeProtocol",
                ws="server.websocket_protocol:BoundedProtocol",
                ws_per_message_deflate=False,
                log_level="warning",
                timeout_graceful_shutdown=GRACE_SECONDS,
            )
            AnnouncedServer(config, banner(settings, token)).run(sockets=[listener])


def listen(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise Failure(f"PARLEY_HOST {host!r} is no address: {error.strerror}") from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise Failure(
            f"cannot listen on {host}:{port}: {error.strerror}; PARLEY_PORT chooses another port"
        ) from error
    return listener


def banner(settings: Settings, token: str) -> str:
    """The fragment of the address stays in the browser: the token gets into no log."""
    host = LOOPBACK.get(settings.host, settings.host)
    origin = f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"
    return f"""
Parley is ready. Open GraphiQL, signed in as {ADMIN.username} in the workspace {ADMIN.tenant}:

  {origin}/graphql#token={token}&tenant={ADMIN.tenant}

The same from a program:

  Authorization: Bearer {token}
  X-Tenant: {ADMIN.tenant}

Ctrl-C stops it. What you did is kept in {settings.home}.
"""

"""An ASGI app on a free port, in a thread of its own."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from server.http_protocol import WholeProtocol
from server.websocket_protocol import BoundedProtocol


@contextmanager
def serving(app: ASGIApp) -> Iterator[str]:
    """The address, once it answers."""
    config = uvicorn.Config(app, log_level="warning", http=WholeProtocol, ws=BoundedProtocol)
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            while not server.started:
                assert thread.is_alive(), "the server did not start"
                time.sleep(0.01)
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()

"""uvicorn's WebSocket protocol, bounded: `--ws server.websocket_protocol:BoundedProtocol`.

uvicorn answers pings whether or not the answers are taken: who sends pings and reads nothing,
signed in or not, fills the memory. Here nothing is read from those who do not read, and who takes
nothing for a while is cut off, with what waits for them. It also logs a traceback of each text that
is none: here whoever sends one is only told so.
"""

import asyncio
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import CloseCode

TAKES_NOTHING_SECONDS = 30.0


class BoundedProtocol(WebSocketsSansIOProtocol):
    _cutting_off: asyncio.TimerHandle | None = None

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stop_reading()
        self._cutting_off = self.loop.call_later(TAKES_NOTHING_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._keep()
        if self.read_paused and self.queue.empty() and not self.transport.is_closing():
            self.read_paused = False
            self.transport.resume_reading()

    async def receive(self) -> Any:
        message = await super().receive()  # reads on, whether or not something waits to be written
        if not self.writable.is_set():
            self._stop_reading()
        return message

    def send_receive_event_to_app(self) -> None:
        says_text = self.curr_msg_data_type == "text" and not self.close_sent
        if says_text and not is_text(b"".join(self.frames)):
            self.conn.fail(CloseCode.INVALID_DATA)
            self.handle_parser_exception()
        else:
            super().send_receive_event_to_app()

    def connection_lost(self, exc: Exception | None) -> None:
        self._keep()
        super().connection_lost(exc)

    def _stop_reading(self) -> None:
        if not self.read_paused and not self.transport.is_closing():
            self.read_paused = True
            self.transport.pause_reading()

    def _keep(self) -> None:
        if self._cutting_off is not None:
            self._cutting_off.cancel()
            self._cutting_off = None


def is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True

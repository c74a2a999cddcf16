"""What lies between the servers and the connection that PostgreSQL notifies them on."""

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Self

PART = 65536


class Wire:
    """A TCP address that leads to PostgreSQL's socket, as long as it is not cut."""

    def __init__(self, directory: Path) -> None:
        self.port = 0
        self._socket = directory / ".s.PGSQL.5432"
        self._is_cut = False
        self._flows = asyncio.Event()
        self._flows.set()
        self._connections: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server
        self._server.close()
        self.cut()
        await asyncio.gather(*self._connections, return_exceptions=True)

    def cut(self) -> None:
        """Connections end, and new ones too."""
        self._is_cut = True
        for connection in self._connections:
            connection.cancel()

    def cut_one(self) -> None:
        """One connection ends, and new ones too. The other one stays."""
        self._is_cut = True
        for connection in list(self._connections)[:1]:
            connection.cancel()

    def hush(self) -> None:
        """Connections stay, and nothing comes through."""
        self._flows.clear()

    def restore(self) -> None:
        self._is_cut = False
        self._flows.set()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._connections.add(task)
        try:
            if not self._is_cut:
                await self._join(reader, writer)
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self._connections.discard(task)
            writer.transport.abort()

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_database, to_database = await asyncio.open_unix_connection(self._socket)
        ways = [
            asyncio.create_task(self._carry(reader, to_database)),
            asyncio.create_task(self._carry(from_database, writer)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            to_database.transport.abort()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while part := await reader.read(PART):
                await self._flows.wait()
                writer.write(part)
                await writer.drain()

"""asyncpg's connection, which can send statements along with the next one.

What is waited for alone is a round trip: PostgreSQL wakes up, answers, and wakes us up. asyncpg
waits for each statement; the protocol would not (postgresql.org/docs/current/protocol-flow.html,
Pipelining). So what comes before a statement is written in front of it, without a Sync: PostgreSQL
answers all together, asyncpg passes over the answers that it did not ask for, and where one fails,
what follows is skipped, and fails with its error.
"""

import struct
import time
from asyncio import Transport
from typing import Any

import asyncpg

ALIVE = 0.1
"""Seconds. Who answered so recently is asked without a ping."""


class Connection(asyncpg.Connection):
    __slots__ = ("_answered_at", "_wire")

    def __init__(self, protocol: Any, transport: Transport, *of_asyncpg: Any) -> None:
        super().__init__(protocol, transport, *of_asyncpg)
        self._wire = transport
        self._answered_at = float("-inf")

    def precede(self, statements: bytes) -> None:
        """Sends what `pipelined` made. The next call must be a `fetch`: a statement of the simple
        protocol would wait for ever where one of these fails."""
        self._wire.write(statements)

    def keeps(self, query: str, row: type[asyncpg.Record]) -> bool:
        """Whether to fetch it takes one round trip. What is to be prepared may take several, of
        transactions of their own."""
        statements: Any = self._stmt_cache  # type: ignore[attr-defined]
        return bool(statements.has((query, row, False)))

    def answered(self) -> None:
        self._answered_at = time.monotonic()

    @property
    def is_alive(self) -> bool:
        """As far as is known."""
        return time.monotonic() - self._answered_at < ALIVE


def pipelined(*statements: str) -> bytes:
    """Of statements that have neither parameters nor rows."""
    return b"".join(map(_parsed_and_executed, statements))


def _parsed_and_executed(statement: str) -> bytes:
    parse = _message(b"P", b"\0", statement.encode(), b"\0", struct.pack("!h", 0))
    bind = _message(b"B", b"\0\0", struct.pack("!hhh", 0, 0, 0))
    execute = _message(b"E", b"\0", struct.pack("!i", 0))
    return parse + bind + execute


def _message(type: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return type + struct.pack("!i", 4 + len(body)) + body

"""One transaction, in the role and tenant that it was asked for.

It begins with its first statement, in one round trip, lets one statement at a time through
(resolvers run side by side), and ends with its block, whatever happens to the request. Piccolo's
own transaction loses the pool's connection when BEGIN or COMMIT fails or is cancelled.
"""

import asyncio
import contextlib
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias, TypeVar

import asyncpg
from asyncpg.pool import PoolConnectionProxy
from piccolo.engine.exceptions import TransactionError
from piccolo.engine.postgres import PostgresTransaction

if TYPE_CHECKING:
    from tables.engine import TenantEngine

Role = Literal["parley_tenant", "parley_auth"]
Command = Literal["COMMIT", "ROLLBACK"]
Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
Connection: TypeAlias = "PoolConnectionProxy[asyncpg.Record]"
Record = TypeVar("Record", bound=asyncpg.Record)

LOST_CONNECTION = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    OSError,  # also the TimeoutError of a server that vanished without a word
)

UNAVAILABLE = (
    *LOST_CONNECTION,
    asyncpg.OperatorInterventionError,  # starts, stops, or took too long
    asyncpg.InsufficientResourcesError,
)
"""What passes, when the database cannot be asked now."""


class NoScope(Exception):
    """A query outside of `DB.tenant(…)` or `DB.identity()`, or after its end."""


async def _discard(pool: Pool, connection: Connection) -> None:
    try:
        connection.terminate()
    except asyncpg.InterfaceError:
        return  # asyncpg had released it already
    await pool.release(connection)


class Gate:
    """Stands in for the connection of a scope: begins late, one statement at a time."""

    def __init__(
        self,
        engine: "TenantEngine",
        preamble: str,
        role: Role,
        turns: asyncio.Semaphore | None,
    ) -> None:
        """`turns` for its connection are waited for as long as it takes."""
        self._engine = engine
        self._preamble = preamble
        self._role = role
        self._turns = turns
        self._lock = asyncio.Lock()
        self._pool: Pool | None = None
        self._connection: Connection | None = None
        self.ended = False
        self.wrong_role = False

    @property
    def is_used(self) -> bool:
        """Whether there is a transaction to end."""
        return self._connection is not None or self._lock.locked()

    async def fetch(self, query: str, *args: object, **options: Any) -> list[Any]:
        async with self._lock:
            connection = self._usable() or await self._begin()
            rows: list[Any] = await connection.fetch(query, *args, **options)
            return rows

    async def execute(self, query: str, *args: object, **options: Any) -> str:
        async with self._lock:
            connection = self._usable() or await self._begin()
            return await connection.execute(query, *args, **options)

    async def fetch_as(
        self, role: Role, query: str, *args: object, record_class: type[Record]
    ) -> list[Record]:
        """One statement in another role, in the same snapshot and on the same connection: a
        second connection per request would let requests starve each other of the pool."""
        async with self._lock:
            connection = self._usable() or await self._begin()
            self.wrong_role = True  # until it is back, nothing else may run or be committed
            await connection.execute(f"SET LOCAL ROLE {role}")
            rows = await connection.fetch(query, *args, record_class=record_class)
            await connection.execute(f"SET LOCAL ROLE {self._role}")
            self.wrong_role = False
            return rows

    def _usable(self) -> "Connection | None":
        """The connection, once there is one. Raises when nothing may run on it."""
        if self.ended:
            raise NoScope("the scope of this query has ended")
        if self.wrong_role:
            raise asyncpg.InFailedSQLTransactionError("a statement of the scope failed")
        return self._connection

    async def _begin(self) -> Connection:
        if self._turns is None:
            return await self._connect()
        await self._turns.acquire()
        try:
            return await self._connect()
        except BaseException:
            self._turns.release()
            raise

    async def _connect(self) -> Connection:
        self._pool = pool = self._engine.running_pool()
        timeout = self._engine.acquire_timeout
        for attempt in (1, 2):
            async with asyncio.timeout(timeout):  # asyncpg's own would be a task more
                connection = await pool.acquire()
            try:
                await connection.execute(self._preamble, timeout=timeout)
            except BaseException as error:
                await _discard(pool, connection)
                if attempt == 1 and isinstance(error, LOST_CONNECTION):
                    # The server restarted: what the pool holds is dead. BEGIN is the ping.
                    await pool.expire_connections()
                    continue
                raise
            self._connection = connection
            return connection
        raise AssertionError("unreachable")

    async def end(self, command: Command) -> None:
        """Waits for the statement in flight. Raises when COMMIT did not commit."""
        async with self._lock:
            connection, self._connection = self._connection, None
            if connection is None or self._pool is None:
                return
            try:
                status = await self._give_back(self._pool, connection, command)
            finally:
                if self._turns:
                    self._turns.release()
        if status != command:  # PostgreSQL answers ROLLBACK to the COMMIT of a failed one
            raise asyncpg.InFailedSQLTransactionError("a statement of the scope failed")

    async def _give_back(self, pool: Pool, connection: Connection, command: Command) -> str:
        try:
            status: str = await connection.execute("ROLLBACK" if self.wrong_role else command)
        except BaseException:
            await _discard(pool, connection)
            raise
        with contextlib.suppress(*LOST_CONNECTION):  # the transaction is over all the same
            await pool.release(connection, timeout=self._engine.acquire_timeout)
        return status


class Scope(PostgresTransaction):
    """Made by `DB.tenant(…)` and `DB.identity()`."""

    __slots__ = ("changes", "read_only")

    engine: "TenantEngine"

    def __init__(
        self,
        engine: "TenantEngine",
        preamble: str,
        role: Role,
        *,
        read_only: bool,
        turns: asyncio.Semaphore | None = None,
    ) -> None:
        super().__init__(engine)
        self._parent = None  # nesting is refused below, not ignored
        self.read_only = read_only
        self.changes: set[str] = set()
        self.connection: Gate = Gate(engine, preamble, role, turns)

    async def __aenter__(self) -> Self:
        outer = self.engine.current_transaction.get()
        # A task that was started inside a scope may open its own once that one has ended.
        if isinstance(outer, Scope) and not outer.connection.ended:
            raise TransactionError("a scope is open already")
        self.context = self.engine.current_transaction.set(self)
        return self

    async def commit(self) -> None:
        self._committed = True
        await _finish(self._end("COMMIT"))

    async def rollback(self) -> None:
        self._rolled_back = True
        await _finish(self._end("ROLLBACK"))

    def _end(self, command: Command) -> asyncio.Future[None]:
        self.connection.ended = True  # at once: no statement slips in before the task starts
        return self.engine.in_background(self._finish(command))

    async def _finish(self, command: Command) -> None:
        """Also when nobody waits any more: what was committed is told."""
        await self.connection.end(command)
        if command == "COMMIT":
            self.engine.tell_changes(self.changes)

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> Literal[False]:
        with contextlib.suppress(ValueError):  # another task closes an abandoned generator
            self.engine.current_transaction.reset(self.context)
        if not self._committed and not self._rolled_back:
            if exception:
                self._end("ROLLBACK")
            elif self.read_only and not self.connection.is_used:
                self.connection.ended = True
            elif self.read_only:
                self._end("COMMIT")
            else:
                await self.commit()
        return False  # neither is waited for where nothing can be lost


async def _finish(end: asyncio.Future[None]) -> None:
    """Waits. A client that hangs up stops the waiting, but never a COMMIT."""
    try:
        await asyncio.shield(end)
    except asyncio.CancelledError:
        await asyncio.wait([end])
        raise

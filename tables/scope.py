"""One transaction, in the role and tenant that it was asked for.

It begins with its first statement, in one round trip, lets one statement at a time through
(resolvers run side by side), and ends with its block, whatever happens to the request. Piccolo's
own transaction loses the pool's connection when BEGIN or COMMIT fails or is cancelled.
"""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Self, TypeAlias, TypeVar, cast

import asyncpg
from piccolo.engine.exceptions import TransactionError
from piccolo.engine.postgres import PostgresTransaction

from tables.connection import Connection

if TYPE_CHECKING:
    from tables.engine import TenantEngine

Role = Literal["parley_tenant", "parley_auth"]
Command = Literal["COMMIT", "ROLLBACK"]
Pool: TypeAlias = "asyncpg.Pool[Any]"
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
    await _release(pool, connection)


async def _release(pool: Pool, connection: Connection, timeout: float | None = None) -> None:
    await pool.release(cast("Any", connection), timeout=timeout)


class Preamble(NamedTuple):
    """What a transaction begins with."""

    script: str
    """For a round trip of its own."""

    begin: bytes
    """The same, to be sent along with the first statement."""

    settings: bytes
    """Without BEGIN: the transaction is that of one statement."""


class Gate:
    """Stands in for the connection of a scope: begins late, one statement at a time."""

    def __init__(
        self,
        engine: "TenantEngine",
        preamble: Preamble,
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
        self._begun = False
        """Whether the connection may be in a transaction."""

        self.ended = False
        self.wrong_role = False

    @property
    def is_used(self) -> bool:
        """Whether there is something to end."""
        return self._connection is not None or self._lock.locked()

    async def fetch(
        self, query: str, *args: object, alone: bool = False, **options: Any
    ) -> list[Any]:
        """`alone`: as far as is known, no other follows."""
        async with self._lock:
            connection = self._usable()
            if connection is None or not self._begun:
                return await self._first(query, args, options, alone=alone)
            rows: list[Any] = await connection.fetch(query, *args, **options)
            return rows

    async def execute(self, query: str, *args: object, **options: Any) -> str:
        async with self._lock:
            return await (await self._in_transaction()).execute(query, *args, **options)

    async def fetch_as(
        self, role: Role, query: str, *args: object, record_class: type[Record]
    ) -> list[Record]:
        """One statement in another role, in the same snapshot and on the same connection: a
        second connection per request would let requests starve each other of the pool."""
        async with self._lock:
            connection = await self._in_transaction()
            self.wrong_role = True  # until it is back, nothing else may run or be committed
            await connection.execute(f"SET LOCAL ROLE {role}")
            rows = await connection.fetch(query, *args, record_class=record_class)
            await connection.execute(f"SET LOCAL ROLE {self._role}")
            self.wrong_role = False
            return rows

    def _usable(self) -> Connection | None:
        """The connection, once there is one. Raises when nothing may run on it."""
        if self.ended:
            raise NoScope("the scope of this query has ended")
        if self.wrong_role:
            raise asyncpg.InFailedSQLTransactionError("a statement of the scope failed")
        return self._connection

    async def _in_transaction(self) -> Connection:
        connection = self._usable() or await self._connect(begin=True)
        if not self._begun:
            self._begun = True
            await connection.execute(self._preamble.script)
        return connection

    async def _first(
        self, query: str, args: Sequence[object], options: Mapping[str, Any], *, alone: bool
    ) -> list[Any]:
        """What the transaction begins with goes along with it: a round trip less. Of one that is
        alone, it ends there too."""
        connection = self._connection or await self._connect(begin=False)
        if not self._begun:
            alone = alone and connection.keeps(query, options["record_class"])
            self._begun = True
            connection.precede(self._preamble.settings if alone else self._preamble.begin)
            try:
                rows: list[Any] = await connection.fetch(query, *args, **options)
            except LOST_CONNECTION as error:
                if isinstance(error, TimeoutError):
                    raise
                await self._lose(connection)
                connection = await self._connect(begin=True)
            else:
                self._begun = not alone
                return rows
        return list(await connection.fetch(query, *args, **options))

    async def _connect(self, *, begin: bool) -> Connection:
        """One that was silent for a while is asked to begin in any case: that is the ping."""
        if self._turns:
            await self._turns.acquire()
        try:
            self._pool = pool = self._engine.running_pool()
            self._connection = await self._acquire(pool, begin=begin)
        except BaseException:
            if self._turns:
                self._turns.release()
            raise
        return self._connection

    async def _acquire(self, pool: Pool, *, begin: bool) -> Connection:
        timeout = self._engine.acquire_timeout
        for attempt in (1, 2):
            async with asyncio.timeout(timeout):  # asyncpg's own would be a task more
                # What stands in for it has all that it has.
                connection = cast("Connection", await pool.acquire())
            if not begin and connection.is_alive:
                return connection
            try:
                await connection.execute(self._preamble.script, timeout=timeout)
            except BaseException as error:
                await _discard(pool, connection)
                if attempt == 1 and isinstance(error, LOST_CONNECTION):
                    # The server restarted: what the pool holds is dead.
                    await pool.expire_connections()
                    continue
                raise
            self._begun = True
            return connection
        raise AssertionError("unreachable")

    async def _lose(self, connection: Connection) -> None:
        """Nothing of the transaction is left: it was not committed."""
        assert self._pool
        self._connection, self._begun = None, False
        if self._turns:
            self._turns.release()
        await _discard(self._pool, connection)
        await self._pool.expire_connections()

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
            status: str = command
            if self._begun:
                status = await connection.execute("ROLLBACK" if self.wrong_role else command)
            connection.answered()
        except BaseException:
            await _discard(pool, connection)
            raise
        with contextlib.suppress(*LOST_CONNECTION):  # the transaction is over all the same
            await _release(pool, connection, self._engine.acquire_timeout)
        return status


class Scope(PostgresTransaction):
    """Made by `DB.tenant(…)` and `DB.identity()`."""

    __slots__ = ("changes", "read_only")

    engine: "TenantEngine"

    def __init__(
        self,
        engine: "TenantEngine",
        preamble: Preamble,
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

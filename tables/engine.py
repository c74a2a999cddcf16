"""The only way to a connection: `async with DB.tenant(tenant_id): …`.

A scope is one transaction in the role and tenant that it was asked for. It begins with its first
statement, in one round trip, lets one statement at a time through (resolvers run side by side),
and ends with the block. Piccolo queries inside the block follow it; outside of any scope every
query raises. Piccolo's own `transaction()` loses pool connections when BEGIN or COMMIT fails.
"""

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Literal, Self, TypeAlias, TypeVar
from uuid import UUID

import asyncpg
import orjson
from asyncpg.pool import PoolConnectionProxy
from piccolo.engine.postgres import AsyncBatch, PostgresEngine, PostgresTransaction
from piccolo.querystring import QueryString

from core.errors import BadInput

Role = Literal["parley_tenant", "parley_auth"]
Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
Connection: TypeAlias = "PoolConnectionProxy[asyncpg.Record]"
Result = TypeVar("Result")

LOST_CONNECTION = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    OSError,
)


class NoScope(RuntimeError):
    """A query outside of `DB.tenant(…)` or `DB.identity()`."""


class Row(asyncpg.Record):
    """A row as it came, read by attribute. Each noun has its own subclass, annotated with the
    columns that its statements select."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


RowType = TypeVar("RowType", bound=Row)


async def _keep(_: object) -> None:
    """Nothing outlives a transaction here, so a reset would be a round trip for nothing."""


async def _init(connection: Any) -> None:
    await connection.set_type_codec(
        "jsonb",
        schema="pg_catalog",
        # Piccolo hands JSON over as text already.
        encoder=lambda value: value if isinstance(value, str) else orjson.dumps(value).decode(),
        decoder=orjson.loads,
    )


async def _discard(pool: Pool, connection: Connection) -> None:
    try:
        connection.terminate()
    except asyncpg.InterfaceError:
        return  # asyncpg had released it already
    await pool.release(connection)


class Gate:
    """Stands in for the connection of a scope: begins late, one statement at a time."""

    __slots__ = ("closed", "connection", "failed", "lock", "pool", "scope")

    def __init__(self, scope: "Scope") -> None:
        self.scope = scope
        self.lock = asyncio.Lock()
        self.pool: Pool | None = None
        self.connection: Connection | None = None
        self.closed = False
        self.failed = False

    async def fetch(self, query: str, *args: object, **options: Any) -> list[Any]:
        return await self._run(lambda connection: connection.fetch(query, *args, **options))

    async def execute(self, query: str, *args: object, **options: Any) -> str:
        return await self._run(lambda connection: connection.execute(query, *args, **options))

    async def _run(self, statement: Callable[[Connection], Awaitable[Result]]) -> Result:
        async with self.lock:
            if self.failed:
                raise asyncpg.InFailedSQLTransactionError("a statement of the scope failed")
            connection = self.connection or await self._begin()
            try:
                return await statement(connection)
            except (asyncpg.DataError, asyncpg.CharacterNotInRepertoireError) as error:
                raise BadInput("A value has a wrong form or range.") from error

    async def fetch_as(
        self, role: Role, query: str, *args: object, record_class: type["RowType"]
    ) -> list["RowType"]:
        """One statement in another role, in the same snapshot and on the same connection: a
        second connection per request would let requests starve each other of the pool."""

        async def run(connection: Connection) -> list[RowType]:
            self.failed = True  # until the role is back: nothing may run in the wrong one
            await connection.execute(f"SET LOCAL ROLE {role}")
            rows = await connection.fetch(query, *args, record_class=record_class)
            await connection.execute(f"SET LOCAL ROLE {self.scope.role}")
            self.failed = False
            return rows

        return await self._run(run)

    async def _begin(self) -> Connection:
        if self.closed:
            raise asyncpg.InterfaceError("the scope of this query has ended")
        self.pool = pool = self.scope.engine.running_pool()
        for attempt in (1, 2):
            connection = await pool.acquire(timeout=self.scope.engine.acquire_timeout)
            try:
                await connection.execute(self.scope.preamble)
            except BaseException as error:
                await _discard(pool, connection)
                if attempt == 1 and isinstance(error, LOST_CONNECTION):
                    # The server restarted: what the pool holds is dead. BEGIN is the ping.
                    await pool.expire_connections()
                    continue
                raise
            self.connection = connection
            return connection
        raise AssertionError("unreachable")

    async def end(self, command: Literal["COMMIT", "ROLLBACK"]) -> None:
        async with self.lock:
            self.closed = True
            connection, self.connection = self.connection, None
            if connection is None or self.pool is None:
                return
            try:
                status = await connection.execute(command)
                if command == "COMMIT" and status == "ROLLBACK":
                    raise asyncpg.InFailedSQLTransactionError("a statement of the scope failed")
            except BaseException:
                await _discard(self.pool, connection)
                raise
            await self.pool.release(connection)


class Scope(PostgresTransaction):
    __slots__ = ("preamble", "read_only", "role")

    engine: "TenantEngine"

    def __init__(
        self, engine: "TenantEngine", preamble: str, role: Role, *, read_only: bool
    ) -> None:
        super().__init__(engine, allow_nested=False)
        self.preamble = preamble
        self.role = role
        self.read_only = read_only
        self.connection: Gate = Gate(self)

    async def __aenter__(self) -> Self:
        self.context = self.engine.current_transaction.set(self)
        return self

    async def commit(self) -> None:
        self._committed = True
        await self.connection.end("COMMIT")

    async def rollback(self) -> None:
        self._rolled_back = True
        await self.connection.end("ROLLBACK")

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        self.engine.current_transaction.reset(self.context)
        if self._committed or self._rolled_back:
            return False
        end = self.engine.in_background(self.rollback() if exception else self.commit())
        if self.read_only or exception:
            return False  # nothing to lose: the answer need not wait for the round trip
        # A client that hangs up cannot stop a COMMIT: shield, then wait without cancelling it.
        try:
            await asyncio.shield(end)
        except asyncio.CancelledError:
            await asyncio.wait([end])
            raise
        return False


class TenantEngine(PostgresEngine):
    """Opens no connection at import. `open()` belongs into the loop that serves."""

    __slots__ = ("_ending", "acquire_timeout")

    def __init__(self) -> None:
        self.acquire_timeout = 5.0
        self._ending: set[asyncio.Future[None]] = set()
        super().__init__(config={})

    async def check_version(self) -> None: ...

    async def prep_database(self) -> None: ...

    async def open(
        self,
        url: str,
        *,
        size: int = 16,
        acquire_timeout: float = 5.0,
        statement_timeout: float = 10.0,
        statement_cache_size: int = 1024,
    ) -> None:
        """Times in seconds. Raises OSError or asyncpg.PostgresError when unreachable."""
        self.acquire_timeout = acquire_timeout
        self.pool = await asyncpg.create_pool(
            url,
            min_size=1,
            max_size=size,
            init=_init,
            reset=_keep,
            statement_cache_size=statement_cache_size,
            # The client gives up after the server had its chance to answer.
            command_timeout=statement_timeout + 5,
            timeout=acquire_timeout,
            server_settings={
                "application_name": "parley",
                "jit": "off",
                "statement_timeout": str(int(statement_timeout * 1000)),
                "idle_in_transaction_session_timeout": str(int(statement_timeout * 1000)),
            },
        )

    async def close(self, timeout: float = 10.0) -> None:
        pool, self.pool = self.pool, None
        if pool is None:
            return
        if self._ending:
            await asyncio.wait(set(self._ending), timeout=timeout)
        try:
            await asyncio.wait_for(pool.close(), timeout)
        except TimeoutError:
            pool.terminate()

    def running_pool(self) -> Pool:
        if self.pool is None:
            raise RuntimeError("DB.open() has not been called")
        return self.pool

    def in_background(self, end: Any) -> asyncio.Future[None]:
        future: asyncio.Future[None] = asyncio.ensure_future(end)
        self._ending.add(future)
        future.add_done_callback(self._ended)
        return future

    def _ended(self, future: asyncio.Future[None]) -> None:
        self._ending.discard(future)
        if not future.cancelled():
            future.exception()  # seen: whoever waits for it raises it

    def tenant(self, tenant_id: UUID, *, read_only: bool = False) -> Scope:
        """Rows of one tenant. Read-only: one snapshot for all statements of the scope."""
        return self._scope("parley_tenant", tenant_id, read_only=read_only)

    def identity(self, *, read_only: bool = False) -> Scope:
        """Users, sessions and memberships, of no tenant."""
        return self._scope("parley_auth", None, read_only=read_only)

    def _scope(self, role: Role, tenant_id: UUID | None, *, read_only: bool) -> Scope:
        mode = " ISOLATION LEVEL REPEATABLE READ READ ONLY" if read_only else ""
        # One DO block is one round trip, and the only form whose SET LOCAL reaches the workers
        # of a Citus cluster without the role, which they would refuse.
        tenant = "" if tenant_id is None else f"SET LOCAL app.tenant_id = '{UUID(str(tenant_id))}';"
        preamble = (
            f"BEGIN{mode}; DO $$ BEGIN SET LOCAL ROLE {role};"
            f" SET LOCAL citus.propagate_set_commands = 'local'; {tenant} END $$"
        )
        return Scope(self, preamble, role, read_only=read_only)

    async def fetch(self, row: type[RowType], query: str, *args: object) -> list[RowType]:
        """Runs one statement in the current scope; rows as they come."""
        return await self._current().connection.fetch(query, *args, record_class=row)

    async def fetch_identity(self, row: type[RowType], query: str, *args: object) -> list[RowType]:
        """As `fetch`, on users, sessions and the memberships of all tenants."""
        gate = self._current().connection
        return await gate.fetch_as("parley_auth", query, *args, record_class=row)

    async def execute(self, query: str, *args: object) -> str:
        """Runs one statement in the current scope; returns its command tag."""
        return await self._current().connection.execute(query, *args)

    def _current(self) -> Scope:
        scope = self.current_transaction.get()
        if not isinstance(scope, Scope):
            raise NoScope("no DB.tenant(…) around this query")
        return scope

    async def run_querystring(self, querystring: QueryString, in_pool: bool = True) -> Any:
        self._current()
        return await super().run_querystring(querystring, in_pool)

    async def run_ddl(self, ddl: str, in_pool: bool = True) -> Any:
        self._current()
        return await super().run_ddl(ddl, in_pool)

    async def batch(self, query: Any, batch_size: int = 100, node: str | None = None) -> AsyncBatch:
        raise NotImplementedError("batch() would connect outside of the tenant")

    def transaction(self, allow_nested: bool = True) -> PostgresTransaction:
        raise NotImplementedError("use DB.tenant(…)")

    async def refuse_unsafe_login(self) -> None:
        """Row-level security does not hold for superusers and BYPASSRLS roles, nor for a login
        that may become one. parley_auth is the exception: it has no right on tenants' rows."""
        unsafe = await self.running_pool().fetch(
            "SELECT session_user AS login, rolname FROM pg_roles"
            " WHERE (rolsuper OR rolbypassrls AND rolname <> 'parley_auth')"
            " AND pg_has_role(session_user, oid, 'MEMBER') ORDER BY rolname = session_user DESC"
        )
        if unsafe:
            raise UnsafeLogin(
                f"the login {unsafe[0]['login']!r} is, or may become, {unsafe[0]['rolname']!r}:"
                " a superuser or BYPASSRLS role sees the rows of every tenant"
            )


class UnsafeLogin(RuntimeError):
    """The server must not run with this login."""


DB = TenantEngine()

"""The only way to a connection: `async with DB.tenant(tenant_id): …`.

Piccolo's queries inside the block follow its scope (tables/scope.py); outside of any scope every
query raises.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Collection, Coroutine
from functools import lru_cache
from typing import Any
from uuid import UUID

import asyncpg
from piccolo.engine.postgres import PostgresEngine, PostgresTransaction
from piccolo.querystring import QueryString

from tables.connection import Connection, pipelined
from tables.row import IdRow, Row, RowType, read_json_of
from tables.scope import NoScope, Pool, Preamble, Role, Scope

log = logging.getLogger("parley.database")

__all__ = [
    "DB",
    "IdRow",
    "LazyEngine",
    "NoScope",
    "Row",
    "RowType",
    "Scope",
    "TenantEngine",
    "UnsafeLogin",
]


# PostgreSQL takes a plan for the values at hand to be cheaper, and then is as long in planning a
# page, each time it is asked for, as in reading it. Our statements are written so that one plan is
# good for all values.
PREPARED = {"plan_cache_mode": "force_generic_plan"}


class UnsafeLogin(RuntimeError):
    """The server must not run with this login."""


async def _keep(_: object) -> None:
    """Nothing outlives a transaction here, so a reset would be a round trip for nothing."""


class LazyEngine(PostgresEngine):
    """Piccolo's engine, without the connection that it opens while it is constructed."""

    async def check_version(self) -> None: ...

    async def prep_database(self) -> None: ...


@lru_cache(1024)
def _preamble(role: Role, tenant_id: UUID | None, limits: str, *, read_only: bool) -> Preamble:
    begin = "BEGIN ISOLATION LEVEL REPEATABLE READ" if read_only else "BEGIN"
    mode = "SET LOCAL transaction_read_only = on;" if read_only else ""
    is_tenant = role == "parley_tenant"
    tenant = f"SET LOCAL app.tenant_id = '{UUID(str(tenant_id))}';" if is_tenant else ""
    # A DO block is the only form whose SET LOCAL reaches the workers of a Citus cluster without
    # the role, which they would refuse, and without the limits.
    settings = (
        f"DO $$ BEGIN {mode} {limits} SET LOCAL ROLE {role};"
        f" SET LOCAL citus.propagate_set_commands = 'local'; {tenant} END $$"
    )
    return Preamble(f"{begin}; {settings}", pipelined(begin, settings), pipelined(settings))


class TenantEngine(LazyEngine):
    """`open()` belongs into the loop that serves."""

    __slots__ = ("_ending", "_limits", "acquire_timeout", "on_commit")

    def __init__(self) -> None:
        self.acquire_timeout = 5.0
        self.on_commit: Callable[[Collection[str]], None] | None = None
        """Told what `note_change` noted, once it is committed and not before."""

        self._limits = ""
        self._ending: set[asyncio.Future[None]] = set()
        super().__init__(config={})

    async def open(
        self,
        url: str,
        *,
        size: int = 16,
        acquire_timeout: float = 5.0,
        statement_timeout: float = 10.0,
        statement_cache_size: int = 128,
    ) -> None:
        """Times in seconds. Raises OSError or asyncpg.PostgresError when unreachable."""
        if self.pool is not None:
            raise RuntimeError("DB is open already")
        self.acquire_timeout = acquire_timeout
        milliseconds = str(int(statement_timeout * 1000))
        limits = {
            "jit": "off",
            "statement_timeout": milliseconds,
            "idle_in_transaction_session_timeout": milliseconds,
        }
        # PgBouncer refuses them when a connection starts: behind it each scope sets them.
        behind_pgbouncer = statement_cache_size == 0
        scoped = limits if behind_pgbouncer else {}
        self._limits = " ".join(f"SET LOCAL {name} = {value};" for name, value in scoped.items())
        self.pool = await asyncpg.create_pool(
            url,
            min_size=1,
            max_size=size,
            connection_class=Connection,
            init=read_json_of,
            reset=_keep,
            statement_cache_size=statement_cache_size,
            # The client gives up after the server had its chance to answer.
            command_timeout=statement_timeout + 5,
            timeout=acquire_timeout,
            server_settings={"application_name": "parley"}
            | ({} if behind_pgbouncer else limits | PREPARED),
        )

    async def close(self, timeout: float = 10.0) -> None:
        """Gives scopes that are open `timeout` seconds to end, then takes their connections."""
        pool, self.pool = self.pool, None
        if pool is None:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await pool.close()  # terminates what is left when it is cancelled
        if self._ending:
            await asyncio.wait(self._ending, timeout=timeout)

    def running_pool(self) -> Pool:
        if self.pool is None:
            raise RuntimeError("DB is not open")
        return self.pool

    def in_background(self, end: Coroutine[Any, Any, None]) -> asyncio.Future[None]:
        future = asyncio.ensure_future(end)
        self._ending.add(future)
        future.add_done_callback(self._ended)
        return future

    def _ended(self, future: asyncio.Future[None]) -> None:
        self._ending.discard(future)
        if not future.cancelled():
            future.exception()  # seen: whoever waits for it raises it

    def tenant(
        self,
        tenant_id: UUID,
        *,
        read_only: bool = False,
        turns: asyncio.Semaphore | None = None,
    ) -> Scope:
        """Rows of one tenant. Read-only: one snapshot for all statements of the scope. `turns`:
        of those who share them, no more take connections at once."""
        return self._scope("parley_tenant", tenant_id, read_only=read_only, turns=turns)

    def identity(self, *, read_only: bool = False) -> Scope:
        """Users, sessions and memberships, of no tenant."""
        return self._scope("parley_auth", None, read_only=read_only)

    def _scope(
        self,
        role: Role,
        tenant_id: UUID | None,
        *,
        read_only: bool,
        turns: asyncio.Semaphore | None = None,
    ) -> Scope:
        preamble = _preamble(role, tenant_id, self._limits, read_only=read_only)
        return Scope(self, preamble, role, read_only=read_only, turns=turns)

    async def fetch(
        self, row: type[RowType], query: str, *args: object, alone: bool = False
    ) -> list[RowType]:
        """Runs one statement in the current scope; rows as they come. `alone`: no other follows in
        a scope that is read-only. If one does, it has a snapshot of its own."""
        scope = self._current()
        alone = alone and scope.read_only
        return await scope.connection.fetch(query, *args, record_class=row, alone=alone)

    async def fetch_identity(self, row: type[RowType], query: str, *args: object) -> list[RowType]:
        """As `fetch`, on users, sessions and the memberships of all tenants."""
        gate = self._current().connection
        return await gate.fetch_as("parley_auth", query, *args, record_class=row)

    async def execute(self, query: str, *args: object) -> str:
        """Runs one statement in the current scope; returns its command tag."""
        return await self._current().connection.execute(query, *args)

    def note_change(self, key: str) -> None:
        """Tells `on_commit` of it when the current scope has been committed."""
        self._current().changes.add(key)

    def tell_changes(self, changes: Collection[str]) -> None:
        if not changes or self.on_commit is None:
            return
        try:
            self.on_commit(changes)
        except Exception:  # what is committed is committed, whatever comes of telling it
            log.exception("cannot tell what was changed")

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

    async def get_new_connection(self) -> Any:
        """Piccolo's way around the pool, for `batch()` among others: it would be of no tenant."""
        raise NoScope("use DB.tenant(…)")

    def transaction(self, *_: Any, **__: Any) -> PostgresTransaction:
        raise NoScope("use DB.tenant(…)")

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


DB = TenantEngine()

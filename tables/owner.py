"""The login that owns the tables: migrations, imports. Never at run time."""

from piccolo.engine.postgres import PostgresEngine


class OwnerEngine(PostgresEngine):
    """Piccolo's engine, without the connection that it opens while it is constructed."""

    async def check_version(self) -> None: ...

    async def prep_database(self) -> None: ...

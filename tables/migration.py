"""Migrations with SQL that needs the tables of the same migration to exist.

Piccolo runs raw steps before the table changes, in both directions. Migrations import this
class by name: never rename it.
"""

from dataclasses import dataclass, field

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.engine import engine_finder
from piccolo.engine.postgres import PostgresEngine


def _engine() -> PostgresEngine:
    engine = engine_finder()
    assert isinstance(engine, PostgresEngine)
    return engine


@dataclass
class SQLMigrationManager(MigrationManager):
    """`forwards_sql` runs after the table changes, `backwards_sql` before they are undone."""

    forwards_sql: list[str] = field(default_factory=list)
    backwards_sql: list[str] = field(default_factory=list)

    async def run(self, backwards: bool = False) -> None:
        engine = _engine()
        async with engine.transaction():  # the one inside `super().run()` is a no-op then
            if backwards:
                await self._execute(self.backwards_sql)
                await super().run(backwards=True)
            else:
                await super().run(backwards=False)
                await self._execute(self.forwards_sql)

    async def _execute(self, scripts: list[str]) -> None:
        if self.preview:
            print("\n".join(scripts))
            return
        transaction = _engine().current_transaction.get()
        assert transaction is not None
        for script in scripts:
            # Straight to asyncpg: Piccolo takes one statement only and reads {} as a placeholder.
            await transaction.connection.execute(script)

"""Tables, migrations and database must say the same. Each function returns what differs."""

from typing import Any

from piccolo.apps.migrations.auto.schema_snapshot import SchemaSnapshot
from piccolo.apps.migrations.commands.new import AutoMigrationManager
from piccolo.conf.apps import AppConfig
from piccolo.table import Table, sort_table_classes

from tests.tables.world import Connection

SHAPES = {
    "column": """
        SELECT c.relname || '.' || a.attname AS name,
               concat_ws(' ', format_type(a.atttypid, a.atttypmod),
                         CASE WHEN a.attnotnull THEN 'NOT NULL' END,
                         'DEFAULT ' || pg_get_expr(d.adbin, d.adrelid),
                         'IDENTITY ' || nullif(a.attidentity::text, ''),
                         'GENERATED ' || nullif(a.attgenerated::text, '')) AS shape
          FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid AND c.relkind = 'r'
          LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
         WHERE c.relnamespace = $1::text::regnamespace AND a.attnum > 0 AND NOT a.attisdropped
           AND c.relname <> 'migration'
    """,
    "constraint": """
        SELECT c.relname || '.' || o.conname AS name,
               concat(pg_get_constraintdef(o.oid), ' ', o.convalidated) AS shape
          FROM pg_constraint o JOIN pg_class c ON c.oid = o.conrelid
         WHERE c.relnamespace = $1::text::regnamespace AND c.relname <> 'migration'
    """,
    "index": """
        SELECT indexname AS name, replace(indexdef, schemaname || '.', '') AS shape
          FROM pg_indexes WHERE schemaname = $1::text AND tablename <> 'migration'
    """,
}

UNTOUCHED = """
    SELECT relname || ': updated_at does not follow ' || string_agg(a.attname, ', ')
      FROM pg_class c JOIN pg_attribute a ON attrelid = c.oid AND attnum > 0 AND NOT attisdropped
     WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
       AND EXISTS (SELECT FROM pg_attribute WHERE attrelid = c.oid AND attname = 'updated_at')
       AND relname || '.' || a.attname <> ALL ($1) AND NOT EXISTS (
           SELECT FROM pg_trigger WHERE tgrelid = c.oid AND tgfoid = 'touch_updated_at'::regproc
              AND pg_get_triggerdef(oid) ~ ' BEFORE UPDATE (OF .*)?ON .* FOR EACH ROW EXECUTE '
              AND (cardinality(tgattr) = 0 OR attnum = ANY (tgattr)) AND tgenabled = 'O')
     GROUP BY relname
"""
# Who sees updated_at would see a sign-in and a new password.
UNSEEN = ["users." + name for name in ("password_hash", "last_login_at")]
UNSEEN += ["users." + name for name in ("id", "created_at", "updated_at")]
UNSEEN += ["documents.words"]  # renewed for another language
UNSEEN += ["conversations.forgotten_version"]  # no change that anybody sees


async def unmigrated(config: AppConfig) -> list[str]:
    """Changes of the table classes that `piccolo migrations new parley --auto` has not seen, and
    of constraints' parameters, which it never sees."""
    manager = AutoMigrationManager(auto_input="n")
    statements = await manager.get_alter_statements(config)
    migrations = await manager.get_migration_managers(app_config=config)
    migrated = {
        (table.class_name, name): parameters
        for table in SchemaSnapshot(migrations).get_snapshot()
        for name, parameters in _parameters(table.constraints).items()
    }
    declared = {
        (table.__name__, name): parameters
        for table in config.table_classes
        for name, parameters in _parameters(table._meta.constraints).items()
    }
    return [str(s) for group in statements for s in group.statements] + [
        f"{name}: {migrated.get(name)} was migrated, {declared.get(name)} is declared"
        for name in sorted(migrated.keys() | declared.keys())
        if migrated.get(name) != declared.get(name)
    ]


def _parameters(constraints: list[Any]) -> dict[str, Any]:
    return {constraint._meta.name: constraint._meta.params for constraint in constraints}


async def differences(connection: Connection, tables: list[type[Table]]) -> list[str]:
    """Of the database from what the table classes would make: their tables are made once more,
    in a schema of their own. Indexes may be more in the database."""
    transaction = connection.transaction()
    await transaction.start()
    await connection.execute("CREATE SCHEMA models; SET search_path = models")
    for table in sort_table_classes(tables):
        for statement in table.create_table().ddl:
            await connection.execute(statement)
    problems = []
    for kind, query in SHAPES.items():
        declared = await _shapes(connection, query, "models")
        found = await _shapes(connection, query, "public")
        extra = set() if kind == "index" else found.keys() - declared.keys()
        problems += [
            f"{kind} {name}: {found.get(name)} in the database, {declared.get(name)} is declared"
            for name in sorted(declared.keys() | extra)
            if declared.get(name) != found.get(name)
        ]
    await transaction.rollback()
    return problems


async def _shapes(connection: Connection, query: str, schema: str) -> dict[str, str]:
    await connection.execute(f"SET search_path = {schema}")
    return {row["name"]: row["shape"] for row in await connection.fetch(query, schema)}


async def untouched(connection: Connection) -> list[str]:
    return [row[0] for row in await connection.fetch(UNTOUCHED, UNSEEN)]

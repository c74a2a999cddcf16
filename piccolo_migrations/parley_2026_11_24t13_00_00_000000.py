"""A request to make a conversation, or to send a message, may be repeated."""

from piccolo.columns.column_types import Bytea, Text
from piccolo.columns.indexes import IndexMethod

from tables.migration import SQLMigrationManager

ID = "2026-11-24T13:00:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "writing"

INDEXES = """
CREATE UNIQUE INDEX conversations_idempotency_key
    ON conversations (tenant_id, owner_id, idempotency_key) WHERE idempotency_key IS NOT NULL;
"""

UNINDEXED = "DROP INDEX conversations_idempotency_key"


async def forwards() -> SQLMigrationManager:
    manager = SQLMigrationManager(
        migration_id=ID,
        app_name="parley",
        description=DESCRIPTION,
        forwards_sql=[INDEXES],
        backwards_sql=[UNINDEXED],
    )

    manager.add_column(
        table_class_name="Conversation",
        tablename="conversations",
        column_name="idempotency_key",
        db_column_name="idempotency_key",
        column_class_name="Text",
        column_class=Text,
        params={
            "default": None,
            "null": True,
            "primary_key": False,
            "unique": False,
            "index": False,
            "index_method": IndexMethod.btree,
            "choices": None,
            "db_column_name": None,
            "secret": False,
        },
        schema=None,
    )

    manager.add_column(
        table_class_name="Conversation",
        tablename="conversations",
        column_name="request_digest",
        db_column_name="request_digest",
        column_class_name="Bytea",
        column_class=Bytea,
        params={
            "default": None,
            "null": True,
            "primary_key": False,
            "unique": False,
            "index": False,
            "index_method": IndexMethod.btree,
            "choices": None,
            "db_column_name": None,
            "secret": False,
        },
        schema=None,
    )

    manager.add_column(
        table_class_name="Message",
        tablename="messages",
        column_name="request_digest",
        db_column_name="request_digest",
        column_class_name="Bytea",
        column_class=Bytea,
        params={
            "default": None,
            "null": True,
            "primary_key": False,
            "unique": False,
            "index": False,
            "index_method": IndexMethod.btree,
            "choices": None,
            "db_column_name": None,
            "secret": False,
        },
        schema=None,
    )

    return manager

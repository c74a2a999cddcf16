"""What subscriptions tell: each change of a message, how far back, and what is new in an inbox.

The inbox index is by updated_at, which every change of a conversation moves. That something was
forgotten is none: it is nobody's news.
"""

from piccolo.columns.base import OnDelete, OnUpdate
from piccolo.columns.column_types import UUID, BigInt, Text
from piccolo.columns.indexes import IndexMethod
from piccolo.constraints import Check, Unique
from piccolo.table import Table

from tables.columns import UUID7, KeyUUID, Reference
from tables.constraints import ForeignKeyConstraint, PrimaryKeyConstraint
from tables.isolation import isolate, touch, untouch
from tables.migration import SQLMigrationManager


class Conversation(Table, tablename="conversations", schema=None):
    id = KeyUUID(
        default=UUID7(),
        null=False,
        primary_key=True,
        unique=False,
        index=False,
        index_method=IndexMethod.btree,
        choices=None,
        db_column_name=None,
        secret=False,
    )


class Message(Table, tablename="messages", schema=None):
    id = KeyUUID(
        default=UUID7(),
        null=False,
        primary_key=True,
        unique=False,
        index=False,
        index_method=IndexMethod.btree,
        choices=None,
        db_column_name=None,
        secret=False,
    )


class Tenant(Table, tablename="tenants", schema=None):
    id = UUID(
        default=UUID7(),
        null=False,
        primary_key=True,
        unique=False,
        index=False,
        index_method=IndexMethod.btree,
        choices=None,
        db_column_name=None,
        secret=False,
    )


ID = "2026-11-24T19:20:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "subscriptions"

NEWS = """tenant_id, id, short_id, owner_id, title, message_count, last_sequence, last_message_at,
    version, source_id, idempotency_key, request_digest, created_at, updated_at, deleted_at"""

INDEXES = """
CREATE INDEX message_changes_message ON message_changes (tenant_id, message_id);
CREATE INDEX conversations_updated ON conversations (tenant_id, updated_at);
"""
UNINDEXED = "DROP INDEX conversations_updated"

# Who listens to a conversation that they may no longer see is found by these notes.
INVALIDATION = """
CREATE FUNCTION invalidate_conversation() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM invalidate('conversation:' || OLD.tenant_id || ':' || OLD.id);
    RETURN NULL;
END $$;
CREATE FUNCTION invalidate_participations() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM invalidate(key) FROM (
        SELECT DISTINCT 'conversation:' || tenant_id || ':' || conversation_id FROM gone
    ) AS keys (key);
    RETURN NULL;
END $$;
REVOKE EXECUTE ON FUNCTION invalidate_conversation, invalidate_participations FROM PUBLIC;
CREATE TRIGGER conversations_invalidate AFTER UPDATE OF deleted_at OR DELETE ON conversations
    FOR EACH ROW EXECUTE FUNCTION invalidate_conversation();
CREATE TRIGGER participants_invalidate AFTER DELETE ON participants
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION invalidate_participations();
"""
NO_INVALIDATION = """
DROP TRIGGER conversations_invalidate ON conversations;
DROP TRIGGER participants_invalidate ON participants;
DROP FUNCTION invalidate_conversation, invalidate_participations;
"""


async def forwards():
    manager = SQLMigrationManager(
        migration_id=ID,
        app_name="parley",
        description=DESCRIPTION,
        forwards_sql=[
            isolate("message_changes", "SELECT, INSERT"),
            untouch("conversations"),
            touch("conversations", NEWS),
            INDEXES,
            INVALIDATION,
        ],
        backwards_sql=[
            NO_INVALIDATION,
            UNINDEXED,
            untouch("conversations"),
            touch("conversations"),
        ],
    )

    manager.add_table(
        class_name="MessageChange",
        tablename="message_changes",
        schema=None,
        columns=None,
    )

    manager.add_column(
        table_class_name="MessageChange",
        tablename="message_changes",
        column_name="tenant_id",
        db_column_name="tenant_id",
        column_class_name="Reference",
        column_class=Reference,
        params={
            "references": Tenant,
            "on_delete": OnDelete.cascade,
            "on_update": OnUpdate.cascade,
            "target_column": None,
            "null": False,
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
        table_class_name="MessageChange",
        tablename="message_changes",
        column_name="id",
        db_column_name="id",
        column_class_name="KeyUUID",
        column_class=KeyUUID,
        params={
            "default": UUID7(),
            "null": False,
            "primary_key": True,
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
        table_class_name="MessageChange",
        tablename="message_changes",
        column_name="conversation_id",
        db_column_name="conversation_id",
        column_class_name="Reference",
        column_class=Reference,
        params={
            "references": Conversation,
            "on_delete": OnDelete.cascade,
            "on_update": OnUpdate.cascade,
            "target_column": None,
            "null": False,
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
        table_class_name="MessageChange",
        tablename="message_changes",
        column_name="message_id",
        db_column_name="message_id",
        column_class_name="Reference",
        column_class=Reference,
        params={
            "references": Message,
            "on_delete": OnDelete.cascade,
            "on_update": OnUpdate.cascade,
            "target_column": None,
            "null": False,
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
        table_class_name="MessageChange",
        tablename="message_changes",
        column_name="version",
        db_column_name="version",
        column_class_name="BigInt",
        column_class=BigInt,
        params={
            "default": 0,
            "null": False,
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
        table_class_name="MessageChange",
        tablename="message_changes",
        column_name="kind",
        db_column_name="kind",
        column_class_name="Text",
        column_class=Text,
        params={
            "default": "",
            "null": False,
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

    manager.add_constraint(
        table_class_name="MessageChange",
        tablename="message_changes",
        constraint_name="message_changes_version_key",
        constraint_class=Unique,
        params={
            "columns": ["tenant_id", "conversation_id", "version"],
            "nulls_distinct": True,
        },
        schema=None,
    )

    manager.add_constraint(
        table_class_name="MessageChange",
        tablename="message_changes",
        constraint_name="message_changes_conversation_fkey",
        constraint_class=ForeignKeyConstraint,
        params={
            "columns": ["tenant_id", "conversation_id"],
            "references": "conversations",
            "target_columns": ["tenant_id", "id"],
            "on_delete": "CASCADE",
        },
        schema=None,
    )

    manager.add_constraint(
        table_class_name="MessageChange",
        tablename="message_changes",
        constraint_name="message_changes_message_fkey",
        constraint_class=ForeignKeyConstraint,
        params={
            "columns": ["tenant_id", "message_id"],
            "references": "messages",
            "target_columns": ["tenant_id", "id"],
            "on_delete": "CASCADE",
        },
        schema=None,
    )

    manager.add_constraint(
        table_class_name="MessageChange",
        tablename="message_changes",
        constraint_name="message_changes_kind_check",
        constraint_class=Check,
        params={"condition": "kind IN ('ADDED', 'EDITED', 'DELETED', 'RESTORED')"},
        schema=None,
    )

    manager.add_constraint(
        table_class_name="MessageChange",
        tablename="message_changes",
        constraint_name="message_changes_pkey",
        constraint_class=PrimaryKeyConstraint,
        params={"columns": ["tenant_id", "id"]},
        schema=None,
    )

    manager.add_constraint(
        table_class_name="MessageChange",
        tablename="message_changes",
        constraint_name="message_changes_tenant_fkey",
        constraint_class=ForeignKeyConstraint,
        params={
            "columns": ["tenant_id"],
            "references": "tenants",
            "target_columns": ["id"],
            "on_delete": "CASCADE",
        },
        schema=None,
    )

    manager.add_column(
        table_class_name="Conversation",
        tablename="conversations",
        column_name="forgotten_version",
        db_column_name="forgotten_version",
        column_class_name="BigInt",
        column_class=BigInt,
        params={
            "default": 0,
            "null": False,
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

"""Finds what was deleted, and what ended: to remove it, and to count it."""

from tables.migration import SQLMigrationManager

ID = "2026-11-24T16:00:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "purge"

INDEXES = """
CREATE INDEX messages_deleted ON messages (tenant_id, conversation_id, deleted_at)
    WHERE deleted_at IS NOT NULL;
CREATE INDEX documents_deleted ON documents (tenant_id, deleted_at) WHERE deleted_at IS NOT NULL;
CREATE INDEX conversations_deleted ON conversations (tenant_id, deleted_at)
    WHERE deleted_at IS NOT NULL;
CREATE INDEX sessions_ended ON sessions (least(revoked_at, expires_at));
"""

UNINDEXED = """
DROP INDEX messages_deleted, documents_deleted, conversations_deleted, sessions_ended;
"""


async def forwards() -> SQLMigrationManager:
    return SQLMigrationManager(
        migration_id=ID,
        app_name="parley",
        description=DESCRIPTION,
        forwards_sql=[INDEXES],
        backwards_sql=[UNINDEXED],
    )

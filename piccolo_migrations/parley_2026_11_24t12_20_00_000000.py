"""Indexes of the audit log, by what it is asked for. Each holds the order of a page."""

from tables.migration import SQLMigrationManager

ID = "2026-11-24T12:20:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "audit log"

# The one by actor finds the events of a user who is deleted, too.
INDEXES = """
CREATE INDEX audit_events_action ON audit_events (tenant_id, action, created_at, id);
CREATE INDEX audit_events_target ON audit_events (tenant_id, target_id, created_at, id);
CREATE INDEX audit_events_actor ON audit_events (actor_id, tenant_id, created_at, id);
DROP INDEX audit_events_actor_id;
"""

UNINDEXED = """
CREATE INDEX audit_events_actor_id ON audit_events (actor_id);
DROP INDEX audit_events_action, audit_events_target, audit_events_actor;
"""


async def forwards() -> SQLMigrationManager:
    return SQLMigrationManager(
        migration_id=ID,
        app_name="parley",
        description=DESCRIPTION,
        forwards_sql=[INDEXES],
        backwards_sql=[UNINDEXED],
    )

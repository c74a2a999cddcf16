"""Row-level security, grants, triggers, the view of people, and indexes Piccolo cannot express."""

import re

from tables.isolation import TENANT, isolate, touch, unisolate, untouch
from tables.migration import SQLMigrationManager

ID = "2026-11-22T12:40:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "isolation"

ISOLATED = {
    "memberships": "SELECT, INSERT, UPDATE",
    "conversations": "SELECT, INSERT, UPDATE, DELETE",
    "participants": "SELECT, INSERT, UPDATE, DELETE",
    "messages": "SELECT, INSERT, UPDATE, DELETE",
    "message_documents": "SELECT, INSERT, DELETE",
    "documents": "SELECT, INSERT, UPDATE, DELETE",
    "audit_events": "SELECT, INSERT",
}
TOUCHED = [
    "tenants",
    "memberships",
    "conversations",
    "participants",
    "messages",
    "documents",
]

# A sign-in and a new password are nobody's business: a time that follows them would tell them.
SHOWN = "username, email, full_name, is_active, is_superuser"

# The tenant role has no right on users. It reads people through this view, which shows those of
# the current tenant and no password; who has left keeps a name for old messages, and neither
# e-mail nor last sign-in, which would go on for the rest of their life. The view runs with its owner's rights, so it fences itself;
# as a barrier it lets no condition of a query see a row before its own WHERE does.
PEOPLE = f"""
CREATE VIEW tenant_users WITH (security_barrier) AS
    SELECT m.tenant_id, u.id, u.username, CASE WHEN m.is_active THEN u.email END AS email,
           u.full_name, u.is_active, u.is_superuser,
           CASE WHEN m.is_active THEN u.last_login_at END AS last_login_at,
           u.created_at, u.updated_at,
           m.id AS membership_id, m.role AS membership_role, m.is_active AS membership_is_active
      FROM memberships m JOIN users u ON u.id = m.user_id
     WHERE m.tenant_id = {TENANT};
GRANT SELECT ON tenant_users TO parley_tenant;
"""

# No policy holds for this role, so it reads what signing in and switching workspaces needs and
# no more: not what a workspace keeps to itself, and no password.
IDENTITY = """
GRANT SELECT (id, slug, name, created_at, updated_at) ON tenants TO parley_auth;
GRANT SELECT (id, username, email, full_name, is_active, is_superuser, last_login_at, created_at,
    updated_at) ON users TO parley_auth;
GRANT SELECT ON memberships, sessions TO parley_auth;
"""

# Every index of a tenant table starts with tenant_id, but for those that find the rows of a user
# who is deleted.
INDEXES = """
CREATE INDEX memberships_user_id ON memberships (user_id);
CREATE INDEX sessions_user_id ON sessions (user_id);
CREATE INDEX sessions_home_tenant_id ON sessions (home_tenant_id);
CREATE INDEX refresh_tokens_session_id ON refresh_tokens (session_id);
CREATE INDEX participants_inbox ON participants (tenant_id, user_id, conversation_id);
CREATE INDEX conversations_recent
    ON conversations (tenant_id, coalesce(last_message_at, created_at), id);
CREATE INDEX conversations_created ON conversations (tenant_id, created_at, id);
CREATE INDEX conversations_title ON conversations (tenant_id, title, id);
CREATE INDEX conversations_owner_id ON conversations (owner_id);
CREATE INDEX messages_author_id ON messages (author_id);
CREATE UNIQUE INDEX messages_source_id ON messages (tenant_id, source_id)
    WHERE source_id IS NOT NULL;
CREATE UNIQUE INDEX messages_idempotency_key
    ON messages (tenant_id, conversation_id, idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX message_documents_cited_by ON message_documents (tenant_id, document_id);
CREATE INDEX documents_created ON documents (tenant_id, created_at, id);
CREATE INDEX documents_owner_id ON documents (owner_id);
CREATE INDEX audit_events_created ON audit_events (tenant_id, created_at, id);
CREATE INDEX audit_events_actor_id ON audit_events (actor_id);
"""

UNINDEXED = "DROP INDEX " + ", ".join(re.findall(r"INDEX (\w+)", INDEXES))

NO_STRANGERS = """
DROP VIEW tenant_users;
REVOKE ALL ON tenants, users, memberships, sessions FROM parley_auth;
"""


async def forwards() -> SQLMigrationManager:
    return SQLMigrationManager(
        migration_id=ID,
        app_name="parley",
        description=DESCRIPTION,
        forwards_sql=[
            isolate("tenants", "SELECT, UPDATE", key="id"),
            *(isolate(table, grants) for table, grants in ISOLATED.items()),
            *(touch(table) for table in TOUCHED),
            touch("users", SHOWN),
            PEOPLE,
            IDENTITY,
            INDEXES,
        ],
        backwards_sql=[
            NO_STRANGERS,
            *(unisolate(table) for table in ["tenants", *ISOLATED]),
            *(untouch(table) for table in ["users", *TOUCHED]),
            UNINDEXED,
        ],
    )

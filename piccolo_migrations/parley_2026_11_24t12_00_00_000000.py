"""What signing in, and running a workspace, may write; and how caches hear of it."""

from piccolo.columns.column_types import UUID, BigInt, Text, Timestamptz
from piccolo.columns.defaults.timestamptz import TimestamptzNow
from piccolo.columns.indexes import IndexMethod

from tables.columns import UUID7
from tables.isolation import TENANT
from tables.migration import SQLMigrationManager

ID = "2026-11-24T12:00:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "identity"

# No policy holds for this role. It writes people, their sign-ins, and new workspaces with their
# owners, by column: it makes nobody a superuser or active, and changes no workspace and no role.
GRANTS = """
GRANT SELECT (password_hash), INSERT (id, username, email, password_hash, full_name),
    UPDATE (email, password_hash, full_name, last_login_at) ON users TO parley_auth;
GRANT INSERT (id, user_id, home_tenant_id, user_agent, ip_address, expires_at),
    UPDATE (home_tenant_id, last_activity_at, expires_at, revoked_at) ON sessions TO parley_auth;
GRANT SELECT, INSERT, UPDATE (used_at), DELETE ON refresh_tokens TO parley_auth;
GRANT INSERT (id, slug, name) ON tenants TO parley_auth;
GRANT INSERT (tenant_id, user_id, role), UPDATE (entered_at) ON memberships TO parley_auth;
GRANT INSERT (tenant_id, action, actor_id, target_id, details, ip_address, request_id)
    ON audit_events TO parley_auth;
GRANT SELECT, DELETE ON cache_invalidations TO parley_auth;
"""

# Anybody may make a workspace and add whom they like to it: whose e-mail and last sign-in its
# admins see has come in, and not left.
PEOPLE = """
CREATE OR REPLACE VIEW tenant_users WITH (security_barrier) AS
    SELECT m.tenant_id, u.id, u.username, CASE WHEN {shows} THEN u.email END AS email,
           u.full_name, u.is_active, u.is_superuser,
           CASE WHEN {shows} THEN u.last_login_at END AS last_login_at,
           u.created_at, u.updated_at,
           m.id AS membership_id, m.role AS membership_role, m.is_active AS membership_is_active
      FROM memberships m JOIN users u ON u.id = m.user_id
     WHERE m.tenant_id = {tenant};
"""
ENTERED = PEOPLE.format(shows="m.is_active AND m.entered_at IS NOT NULL", tenant=TENANT)
ACTIVE = PEOPLE.format(shows="m.is_active", tenant=TENANT)

REVOKED = """
REVOKE ALL ON cache_invalidations, refresh_tokens, audit_events FROM parley_auth;
REVOKE SELECT (password_hash), INSERT (id, username, email, password_hash, full_name),
    UPDATE (email, password_hash, full_name, last_login_at) ON users FROM parley_auth;
REVOKE INSERT (id, user_id, home_tenant_id, user_agent, ip_address, expires_at),
    UPDATE (home_tenant_id, last_activity_at, expires_at, revoked_at) ON sessions FROM parley_auth;
REVOKE INSERT (id, slug, name) ON tenants FROM parley_auth;
REVOKE INSERT (tenant_id, user_id, role), UPDATE (entered_at) ON memberships FROM parley_auth;
REVOKE INSERT (tenant_id, action, actor_id, target_id, details, ip_address, request_id)
    ON audit_events FROM parley_auth;
"""

# Keys as in resolvers/authentication.py. With the owner's rights, since no role at run time may
# write here: what they change is noted all the same, and nothing else is.
INVALIDATION = """
CREATE FUNCTION invalidate(key text) RETURNS void LANGUAGE sql AS $$
    INSERT INTO cache_invalidations (key, transaction_id)
    VALUES (key, pg_current_xact_id()::text::bigint)
$$;
CREATE FUNCTION invalidate_session() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM invalidate('sess:' || OLD.id);
    RETURN NULL;
END $$;
CREATE FUNCTION invalidate_user() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM invalidate('user:' || OLD.id);
    RETURN NULL;
END $$;
CREATE FUNCTION invalidate_membership() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM invalidate('member:' || OLD.tenant_id || ':' || OLD.user_id);
    PERFORM invalidate('member:' || slug || ':' || OLD.user_id)
       FROM tenants WHERE id = OLD.tenant_id;
    RETURN NULL;
END $$;
CREATE FUNCTION invalidate_slug() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM invalidate('member:' || OLD.slug || ':' || user_id)
       FROM memberships WHERE tenant_id = OLD.id;
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END $$;
REVOKE EXECUTE ON FUNCTION invalidate, invalidate_session, invalidate_user, invalidate_membership,
    invalidate_slug FROM PUBLIC;

CREATE TRIGGER sessions_invalidate AFTER UPDATE ON sessions FOR EACH ROW
    WHEN (OLD.revoked_at IS DISTINCT FROM NEW.revoked_at OR NEW.expires_at < OLD.expires_at
          OR OLD.home_tenant_id IS DISTINCT FROM NEW.home_tenant_id)
    EXECUTE FUNCTION invalidate_session();
CREATE TRIGGER sessions_invalidate_deleted AFTER DELETE ON sessions FOR EACH ROW
    EXECUTE FUNCTION invalidate_session();
CREATE TRIGGER users_invalidate AFTER UPDATE OF is_active OR DELETE ON users FOR EACH ROW
    EXECUTE FUNCTION invalidate_user();
CREATE TRIGGER memberships_invalidate AFTER UPDATE OF role, is_active OR DELETE ON memberships
    FOR EACH ROW
    EXECUTE FUNCTION invalidate_membership();
CREATE TRIGGER tenants_invalidate BEFORE UPDATE OF slug OR DELETE ON tenants FOR EACH ROW
    EXECUTE FUNCTION invalidate_slug();
"""

NO_INVALIDATION = """
DROP TRIGGER sessions_invalidate ON sessions;
DROP TRIGGER sessions_invalidate_deleted ON sessions;
DROP TRIGGER users_invalidate ON users;
DROP TRIGGER memberships_invalidate ON memberships;
DROP TRIGGER tenants_invalidate ON tenants;
DROP FUNCTION invalidate, invalidate_session, invalidate_user, invalidate_membership,
    invalidate_slug;
"""


async def forwards() -> SQLMigrationManager:
    manager = SQLMigrationManager(
        migration_id=ID,
        app_name="parley",
        description=DESCRIPTION,
        forwards_sql=[GRANTS, INVALIDATION, ENTERED],
        backwards_sql=[ACTIVE, NO_INVALIDATION, REVOKED],
    )

    manager.add_table(
        class_name="CacheInvalidation",
        tablename="cache_invalidations",
        schema=None,
        columns=None,
    )

    manager.add_column(
        table_class_name="CacheInvalidation",
        tablename="cache_invalidations",
        column_name="id",
        db_column_name="id",
        column_class_name="UUID",
        column_class=UUID,
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
        table_class_name="CacheInvalidation",
        tablename="cache_invalidations",
        column_name="key",
        db_column_name="key",
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

    manager.add_column(
        table_class_name="CacheInvalidation",
        tablename="cache_invalidations",
        column_name="transaction_id",
        db_column_name="transaction_id",
        column_class_name="BigInt",
        column_class=BigInt,
        params={
            "default": 0,
            "null": False,
            "primary_key": False,
            "unique": False,
            "index": True,
            "index_method": IndexMethod.btree,
            "choices": None,
            "db_column_name": None,
            "secret": False,
        },
        schema=None,
    )

    manager.add_column(
        table_class_name="Membership",
        tablename="memberships",
        column_name="entered_at",
        db_column_name="entered_at",
        column_class_name="Timestamptz",
        column_class=Timestamptz,
        params={
            "default": TimestamptzNow(),
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

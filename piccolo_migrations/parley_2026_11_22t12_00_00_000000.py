"""Roles, and the function behind updated_at."""

from tables.migration import SQLMigrationManager

ID = "2026-11-22T12:00:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "roles"

# Roles belong to the cluster, not to the database: another database may have made them, or an
# operator whose migration login may not.
FORWARDS = """
DO $$
DECLARE wanted record;
BEGIN
    FOR wanted IN SELECT * FROM (VALUES
        ('parley_app', 'LOGIN NOINHERIT'),
        ('parley_tenant', 'NOLOGIN'),
        ('parley_auth', 'NOLOGIN BYPASSRLS')
    ) AS roles (name, options) LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted.name) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I %s', wanted.name, wanted.options);
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                NULL;  -- another database of the cluster was migrated at the same moment
            END;
        END IF;
    END LOOP;
    IF NOT pg_has_role('parley_app', 'parley_tenant', 'SET') THEN
        GRANT parley_tenant TO parley_app WITH INHERIT FALSE;
    END IF;
    IF NOT pg_has_role('parley_app', 'parley_auth', 'SET') THEN
        GRANT parley_auth TO parley_app WITH INHERIT FALSE;
    END IF;
END $$;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO parley_tenant, parley_auth;
CREATE FUNCTION touch_updated_at() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.updated_at := now();
    RETURN NEW;
END $$;
REVOKE EXECUTE ON FUNCTION touch_updated_at() FROM PUBLIC;
"""

# The roles stay: another database of the cluster may use them.
BACKWARDS = """
DROP FUNCTION touch_updated_at();
REVOKE USAGE ON SCHEMA public FROM parley_tenant, parley_auth;
GRANT USAGE ON SCHEMA public TO PUBLIC;
"""


async def forwards() -> SQLMigrationManager:
    return SQLMigrationManager(
        migration_id=ID,
        app_name="parley",
        description=DESCRIPTION,
        forwards_sql=[FORWARDS],
        backwards_sql=[BACKWARDS],
    )

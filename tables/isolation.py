"""The SQL that fences a table, for its migration."""

TENANT = "nullif(current_setting('app.tenant_id', true), '')::uuid"
"""The tenant of the scope. A setting that was reset reads '', not NULL."""


def isolate(table: str, grants: str, *, key: str = "tenant_id") -> str:
    """Rows of one tenant only, whoever asks, and `grants` ("SELECT, INSERT") for the tenant role.

    Exactly one PERMISSIVE policy: on the shards of a Citus cluster a RESTRICTIVE one turns
    permissive, and a second one would be OR-ed to the first. FORCE holds for the owner too.
    """
    return f"""
        ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
        ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
        CREATE POLICY {table}_of_tenant ON {table}
            USING ({key} = {TENANT}) WITH CHECK ({key} = {TENANT});
        GRANT {grants} ON {table} TO parley_tenant;
    """


def unisolate(table: str) -> str:
    """Undoes `isolate`. The grants go first: never a moment in which they stand unfenced."""
    return f"""
        REVOKE ALL ON {table} FROM parley_tenant;
        DROP POLICY {table}_of_tenant ON {table};
        ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY;
        ALTER TABLE {table} DISABLE ROW LEVEL SECURITY;
    """


def touch(table: str, columns: str | None = None) -> str:
    """`updated_at` follows every UPDATE, also those that bypass Piccolo; with `columns`
    ("username, email") those of one of them only."""
    of = f" OF {columns}" if columns else ""
    return f"""
        CREATE TRIGGER {table}_touch BEFORE UPDATE{of} ON {table}
            FOR EACH ROW EXECUTE FUNCTION touch_updated_at();
    """


def untouch(table: str) -> str:
    return f"DROP TRIGGER {table}_touch ON {table};"

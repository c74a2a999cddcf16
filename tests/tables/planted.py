"""Changes to a clone: what each rule of isolation_rules must find, and what none may mind."""

ISOLATE = """
    ALTER TABLE planted ENABLE ROW LEVEL SECURITY; ALTER TABLE planted FORCE ROW LEVEL SECURITY;
    CREATE POLICY p ON planted USING
        (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid) WITH CHECK
        (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
"""
TABLE = f"""
    CREATE TABLE planted (tenant_id uuid, id uuid, other_id uuid, user_id uuid, name text,
        PRIMARY KEY (tenant_id, id),
        FOREIGN KEY (tenant_id) REFERENCES tenants ON DELETE CASCADE);
    {ISOLATE}
"""
KEY = "ALTER TABLE planted ADD FOREIGN KEY"
POLICY = "ALTER POLICY messages_of_tenant ON messages"
SEARCHER = "CREATE FUNCTION search() RETURNS int LANGUAGE sql SECURITY DEFINER"

# The beginning of a rule -> what it must find.
PLANTED = {
    "row-level security is not enabled and forced": [
        "CREATE TABLE planted (tenant_id uuid, id uuid)",
        "CREATE TABLE planted (tenant_id uuid, id uuid) PARTITION BY HASH (id)",
        "ALTER TABLE messages NO FORCE ROW LEVEL SECURITY",
        "ALTER TABLE messages DISABLE ROW LEVEL SECURITY",
    ],
    "not exactly one policy": [
        "DROP POLICY messages_of_tenant ON messages",
        "CREATE POLICY p ON messages USING (author_id IS NULL)",
        "CREATE POLICY p ON messages AS RESTRICTIVE USING (role = 'USER')",
    ],
    "a policy is not the tenant's condition": [
        f"{POLICY} TO parley_tenant",
        f"{POLICY} USING (true)",
        f"{POLICY} WITH CHECK (true)",
        f"{POLICY} USING (tenant_id = current_setting('app.tenant_id')::uuid)",
        f"{POLICY} USING (tenant_id IN (SELECT tenant_id FROM memberships))",
        (
            "DROP POLICY messages_of_tenant ON messages; CREATE POLICY p ON messages FOR SELECT"
            " USING (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)"
        ),
        (
            "CREATE POLICY p ON messages AS RESTRICTIVE USING (tenant_id ="
            " nullif(current_setting('app.tenant_id', true), '')::uuid)"
        ),
    ],
    "the primary key is not (tenant_id, id)": [
        f"CREATE TABLE planted (tenant_id uuid NOT NULL, id uuid PRIMARY KEY); {ISOLATE}",
        f"CREATE TABLE planted (id uuid, tenant_id uuid, PRIMARY KEY (id, tenant_id)); {ISOLATE}",
        f"CREATE TABLE planted (tenant_id uuid, id uuid); {ISOLATE}",
    ],
    "a unique index lets one tenant find out about another": [
        f"{TABLE} ALTER TABLE planted ADD UNIQUE (name)",
        f"{TABLE} CREATE UNIQUE INDEX ON planted ((lower(name)))",
        f"{TABLE} CREATE UNIQUE INDEX ON planted (name) INCLUDE (tenant_id)",
        f"{TABLE} ALTER TABLE planted ADD EXCLUDE (name WITH =)",
    ],
    "a foreign key between tenants' tables": [
        (
            f"ALTER TABLE documents ADD UNIQUE (id); {TABLE}"
            f" {KEY} (other_id) REFERENCES documents (id) ON DELETE CASCADE"
        ),
        (
            f"ALTER TABLE documents ADD UNIQUE (id, tenant_id); {TABLE} {KEY} (tenant_id, other_id)"
            " REFERENCES documents (id, tenant_id) ON DELETE CASCADE"
        ),
        f"{TABLE} {KEY} (tenant_id, other_id) REFERENCES documents",
        (
            "ALTER TABLE messages DROP CONSTRAINT messages_tenant_fkey, ADD FOREIGN KEY (tenant_id)"
            " REFERENCES tenants"
        ),
    ],
    "a foreign key to a global table is composite": [
        f"{TABLE} {KEY} (user_id) REFERENCES users",
        (
            f"ALTER TABLE users ADD UNIQUE (id, username); {TABLE}"
            f" {KEY} (user_id, name) REFERENCES users (id, username) ON DELETE CASCADE"
        ),
    ],
    "a foreign key leads from a global table to a tenant's": [
        (
            "ALTER TABLE sessions ADD tenant_id uuid, ADD conversation_id uuid, ADD FOREIGN KEY"
            " (tenant_id, conversation_id) REFERENCES conversations"
        ),
    ],
    "a foreign key has no index": [
        f"{TABLE} {KEY} (user_id) REFERENCES users ON DELETE CASCADE",
        "DROP INDEX messages_author_id; CREATE INDEX ON messages (author_id) WHERE role = 'USER'",
    ],
    "an index neither starts with the tenant": [
        f"{TABLE} CREATE INDEX ON planted (name)",
        f"{TABLE} CREATE INDEX ON planted ((tenant_id::text))",
        f"{TABLE} CREATE INDEX ON planted (user_id)",
    ],
    "a column counts across tenants": [
        f"{TABLE} ALTER TABLE planted ADD n int GENERATED ALWAYS AS IDENTITY",
        f"{TABLE} ALTER TABLE planted ADD n serial",
    ],
    "a view shows its conditions rows of other tenants": [
        "CREATE VIEW planted AS SELECT * FROM messages",
        "ALTER VIEW tenant_users RESET (security_barrier)",
    ],
    "a relation cannot have policies": [
        "CREATE MATERIALIZED VIEW planted AS SELECT * FROM messages",
        "CREATE SCHEMA more; CREATE TABLE more.planted (n int)",
    ],
    "a function runs with its owner's rights": [
        f"{SEARCHER} AS 'SELECT 1'",
        f"{SEARCHER} SET search_path = public AS 'SELECT 1'",
    ],
    "a function may be called by everyone": [
        f"{SEARCHER} SET search_path = public, pg_temp AS 'SELECT 1'",
        "GRANT EXECUTE ON FUNCTION touch_updated_at TO PUBLIC",
    ],
    "a function of parley_search does not take": [
        f"{SEARCHER} AS 'SELECT 1'; ALTER FUNCTION search OWNER TO parley_search",
        "GRANT EXECUTE ON FUNCTION documents_matching TO parley_auth",
        "ALTER FUNCTION documents_matching SECURITY INVOKER",
        "ALTER FUNCTION touch_updated_at OWNER TO parley_search",
    ],
    "an application's role owns": [
        "ALTER TABLE messages OWNER TO parley_tenant",
        "ALTER TABLE messages OWNER TO parley_search",
    ],
    "everyone may look into the schema": ["GRANT USAGE ON SCHEMA public TO PUBLIC"],
    "rights are granted before a table has its policy": [
        "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO parley_tenant",
    ],
}

ALLOWED = {
    "a table": TABLE,
    "a reference to a person": f"""
        {TABLE} CREATE INDEX ON planted (user_id);
        {KEY} (user_id) REFERENCES users ON DELETE SET NULL
    """,
    "a reference to a document": f"""
        {TABLE} CREATE INDEX ON planted (tenant_id, other_id);
        {KEY} (tenant_id, other_id) REFERENCES documents ON DELETE CASCADE
    """,
    "a name": f"{TABLE} ALTER TABLE planted ADD UNIQUE (tenant_id, name)",
    "a function": f"""
        {SEARCHER} SET search_path = public, pg_temp AS 'SELECT 1';
        REVOKE EXECUTE ON FUNCTION search FROM PUBLIC
    """,
    "a view": "CREATE VIEW planted WITH (security_barrier) AS SELECT * FROM messages",
}

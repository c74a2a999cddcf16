"""What the catalog must say for tenants to be apart: of every table in it, also future ones.

Each rule is a query for its violations, over `fenced`: the tables that are not global, with the
column that holds their tenant.
"""

from tests.tables.world import Connection

FENCED = """
    WITH fenced AS (
        SELECT c.oid, relname::text AS name, relrowsecurity AND relforcerowsecurity AS is_fenced,
               key, format('(%s = (NULLIF(current_setting(''app.tenant_id''::text, true),'
                           ' ''''::text))::uuid)', key) AS condition
          FROM pg_class c,
               LATERAL (SELECT CASE relname WHEN 'tenants' THEN 'id' ELSE 'tenant_id' END AS key)
         WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
           AND relname NOT IN ('users', 'sessions', 'refresh_tokens', 'cache_invalidations',
                               'migration')  -- global
    ), columns AS (
        SELECT attrelid, attnum, attname::text AS name FROM pg_attribute WHERE attnum > 0
    ), keys AS (  -- foreign keys, with their columns' names in order
        SELECT o.conname AS name, o.conrelid, o.confrelid, o.conkey, o.confdeltype,
               (SELECT array_agg(c.name ORDER BY n) FROM unnest(o.conkey) WITH ORDINALITY k (k, n)
                  JOIN columns c ON c.attrelid = o.conrelid AND c.attnum = k) AS columns,
               (SELECT array_agg(c.name ORDER BY n) FROM unnest(o.confkey) WITH ORDINALITY k (k, n)
                  JOIN columns c ON c.attrelid = o.confrelid AND c.attnum = k) AS targets
          FROM pg_constraint o WHERE o.contype = 'f'
    ), indexes AS (
        SELECT i.*, indexrelid::regclass::text AS name, am.amname,
               ARRAY(SELECT c.name FROM unnest(i.indkey::int2[]) WITH ORDINALITY k (k, n)
                       JOIN columns c ON c.attrelid = i.indrelid AND c.attnum = k
                      WHERE n <= i.indnkeyatts ORDER BY n) AS columns,
               (SELECT c.name FROM columns c
                 WHERE c.attrelid = i.indrelid AND c.attnum = i.indkey[0]) AS first
          FROM pg_index i JOIN pg_class x ON x.oid = indexrelid JOIN pg_am am ON am.oid = x.relam
    )
"""

RULES = {
    "row-level security is not enabled and forced": "SELECT name FROM fenced WHERE NOT is_fenced",
    "not exactly one policy": """
        SELECT name FROM fenced f
         WHERE (SELECT count(*) FROM pg_policy WHERE polrelid = f.oid) <> 1
    """,
    "a policy is not the tenant's condition, permissive, for all commands and everyone": """
        SELECT f.name || '.' || polname FROM fenced f JOIN pg_policy ON polrelid = f.oid
         WHERE (polpermissive, polcmd, polroles) IS DISTINCT FROM (true, '*', '{0}')
            OR pg_get_expr(polqual, f.oid) IS DISTINCT FROM condition
            OR pg_get_expr(polwithcheck, f.oid) IS DISTINCT FROM condition
    """,
    "the primary key is not (tenant_id, id)": """
        SELECT name FROM fenced f WHERE NOT EXISTS (
               SELECT FROM indexes WHERE indrelid = f.oid AND indisprimary
                  AND columns = CASE key WHEN 'id' THEN '{id}' ELSE '{tenant_id,id}' END::text[])
    """,
    "a unique index lets one tenant find out about another": """
        SELECT i.name FROM fenced f JOIN indexes i ON indrelid = f.oid
         WHERE (indisunique OR indisexclusion) AND f.name <> 'tenants'
           AND NOT key = ANY (columns)
    """,
    "a foreign key between tenants' tables can cross tenants, or stops their deletion": """
        SELECT k.name FROM keys k
          JOIN fenced s ON s.oid = conrelid JOIN fenced t ON t.oid = confrelid
         WHERE columns[1] <> s.key OR targets[1] <> t.key OR confdeltype <> 'c'
    """,
    "a foreign key to a global table is composite, or stops a deletion": """
        SELECT k.name FROM keys k JOIN fenced s ON s.oid = conrelid
         WHERE confrelid NOT IN (SELECT oid FROM fenced)
           AND (cardinality(columns) > 1 OR confdeltype NOT IN ('c', 'n'))
    """,
    "a foreign key leads from a global table to a tenant's": """
        SELECT k.name FROM keys k JOIN fenced t ON t.oid = confrelid
         WHERE conrelid NOT IN (SELECT oid FROM fenced) AND t.name <> 'tenants'
    """,
    "a foreign key has no index to find its rows by": """
        SELECT k.name FROM keys k WHERE NOT EXISTS (
               SELECT FROM indexes i WHERE i.indrelid = conrelid AND indpred IS NULL AND indisvalid
                  AND columns[1:cardinality(k.columns)] @> k.columns)
    """,
    "an index neither starts with the tenant nor serves a global table": """
        SELECT i.name FROM fenced f JOIN indexes i ON indrelid = f.oid
         WHERE f.name <> 'tenants' AND first IS DISTINCT FROM key AND amname <> 'gin'
           AND NOT EXISTS (SELECT FROM keys k WHERE conrelid = f.oid AND columns = ARRAY[first]
                              AND confrelid NOT IN (SELECT oid FROM fenced))
    """,
    "a column counts across tenants": """
        SELECT attrelid::regclass || '.' || attname FROM pg_attribute a
          JOIN pg_class c ON c.oid = attrelid AND relnamespace = 'public'::regnamespace
          LEFT JOIN pg_attrdef d ON d.adrelid = attrelid AND d.adnum = attnum
         WHERE relkind IN ('r', 'p') AND relname <> 'migration'
           AND (attidentity <> '' OR pg_get_expr(adbin, adrelid) LIKE '%nextval%')
    """,
    "a view shows its conditions rows of other tenants": """
        SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'v'
           AND NOT coalesce(reloptions, '{}') @> '{security_barrier=true}'
    """,
    "a relation cannot have policies, or escapes these rules": """
        SELECT oid::regclass::text FROM pg_class
         WHERE relnamespace NOT IN (SELECT oid FROM pg_namespace WHERE nspname ~ '^pg_'
                                        OR nspname IN ('information_schema', 'public'))
            OR relnamespace = 'public'::regnamespace AND relkind IN ('m', 'f')
    """,
    "a function runs with its owner's rights on anyone's search_path": """
        SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND prosecdef
           AND NOT EXISTS (SELECT FROM unnest(proconfig) s WHERE s ~ '^search_path=.*pg_temp"?$')
    """,
    "a function may be called by everyone": """
        SELECT proname FROM pg_proc p WHERE pronamespace = 'public'::regnamespace
           AND EXISTS (SELECT FROM aclexplode(coalesce(proacl, acldefault('f', proowner)))
                        WHERE grantee = 0)
           AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = p.oid AND deptype = 'e')
    """,
    "a function of parley_search does not take the tenant and check it, or is not for tenants": """
        SELECT proname FROM pg_proc p WHERE pg_get_userbyid(proowner) = 'parley_search'
           AND NOT (prosecdef AND proargtypes[0] = 'uuid'::regtype AND proargnames[1] = 'tenant'
                AND prosrc ~ 'IF tenant IS DISTINCT FROM nullif\\(current_setting\\('
                             '''app.tenant_id'', true\\), ''''\\)::uuid THEN\\s+(RETURN;|RAISE )'
                AND NOT EXISTS (SELECT FROM aclexplode(coalesce(proacl, acldefault('f', proowner)))
                     WHERE pg_get_userbyid(grantee) NOT IN ('parley_search', 'parley_tenant')))
    """,
    "an application's role owns what it should be kept from": """
        SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace
           AND pg_get_userbyid(relowner)
               IN ('parley_app', 'parley_tenant', 'parley_auth', 'parley_search')
    """,
    "everyone may look into the schema": """
        SELECT nspname FROM pg_namespace, aclexplode(nspacl)
         WHERE nspname = 'public' AND grantee = 0
    """,
    "rights are granted before a table has its policy": """
        SELECT pg_get_userbyid(defaclrole) || ': ' || defaclacl::text FROM pg_default_acl
    """,
}

GRANTS = """
    SELECT CASE grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(grantee) END AS role,
           relname || coalesce('.' || attname, '') AS name,
           string_agg(privilege_type, ', ' ORDER BY privilege_type) AS rights
      FROM (SELECT relname, NULL::name AS attname, relowner, relacl AS acl FROM pg_class
             WHERE relnamespace = 'public'::regnamespace
            UNION ALL
            SELECT relname, attname, relowner, attacl FROM pg_attribute
              JOIN pg_class c ON c.oid = attrelid AND relnamespace = 'public'::regnamespace) r
      CROSS JOIN aclexplode(acl) WHERE grantee <> relowner GROUP BY 1, 2 ORDER BY 1, 2
"""


async def problems(connection: Connection) -> list[str]:
    """A line for every violation."""
    return [
        f"{rule}: {row[0]}"
        for rule, query in RULES.items()
        for row in await connection.fetch(FENCED + query)
    ]


async def grants(connection: Connection) -> dict[str, dict[str, str]]:
    """role -> relation (or relation.column) -> rights, of everyone but the owner."""
    found: dict[str, dict[str, str]] = {}
    for row in await connection.fetch(GRANTS):
        found.setdefault(row["role"], {})[row["name"]] = row["rights"]
    return found

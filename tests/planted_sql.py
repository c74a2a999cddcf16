"""Statements in code: what the rules of test_sql must find, and what they may not mind."""

JOINED = '"SELECT 1 FROM messages m JOIN conversations c ON {} WHERE m.tenant_id = $1"'
ANYBODY = "SELECT 1 FROM memberships m WHERE"

UNFENCED = [
    'await DB.fetch(Row, "SELECT * FROM messages")',
    'await DB.fetch(Row, "SELECT * FROM messages WHERE id = $1")',
    'await DB.fetch(Row, "SELECT * FROM messages m WHERE m.tenant_id = $2")',
    'await DB.fetch(Row, "SELECT * FROM messages m WHERE m.tenant_id = $10")',
    'await DB.fetch(Row, "SELECT * FROM messages m WHERE c.tenant_id = $1")',
    'await DB.fetch(Row, "SELECT * FROM messages AS m WHERE tenant_id = $1")',
    'await DB.fetch(Row, "SELECT * FROM tenants t WHERE t.slug = $1")',
    'await DB.fetch(Row, "SELECT * FROM tenant_users u WHERE u.id = $1")',
    'await DB.execute("DELETE FROM documents WHERE id = $1")',
    'await DB.execute("UPDATE documents SET size = 0 WHERE id = $1")',
    'await DB.execute("INSERT INTO documents (id, tenant_id) VALUES ($1, $2)")',
    'await DB.execute("INSERT INTO documents (tenant_id, id) VALUES ($2, $1)")',
    'x = "SELECT 1 FROM messages m, documents d WHERE m.tenant_id = $1"',
    'x = f"SELECT {COLUMNS}" + " FROM messages m"',
    'x = f"SELECT 1 FROM messages m {unknown}"',
    'def f(table):\n    return f"SELECT 1 FROM {table}"',
    'def f():\n    return f"SELECT 1 FROM {COLUMNS} JOIN participants p ON p.id = $1"',
    f"x = {JOINED.format('c.id = m.conversation_id')}",
    f"x = {JOINED.format('c.tenant_id = m.tenant_id')}",
    'x = "... WHERE EXISTS (SELECT FROM participants p WHERE p.conversation_id = c.id)"',
    'x = "select * from messages"',
    'x = "SELECT * FROM public.messages"',
    """x = 'SELECT * FROM ONLY "public"."messages"'""",
    'x = "SELECT * FROM messages m WHERE m.tenant_id = $1 AND m.role = $2 OR m.id = $3"',
    'x = "SELECT * FROM messages m WHERE m.id = $2 OR m.tenant_id = $1"',
    'x = "SELECT * FROM messages m WHERE (m.tenant_id = $1 AND m.id = $2) OR m.id = $3"',
    'x = "SELECT * FROM messages m WHERE (m.tenant_id = $1 OR m.id = $2) AND m.id = $3"',
    'x = "SELECT * FROM messages m WHERE NOT m.tenant_id = $1"',
    'x = "SELECT * FROM messages m WHERE NOT (m.id = $2 AND m.tenant_id = $1)"',
    'x = "SELECT * FROM messages m WHERE m.tenant_id = $1 IS NOT NULL"',
    'x = "SELECT * FROM messages m WHERE coalesce(m.tenant_id = $1, true)"',
    'x = "SELECT m.tenant_id = $1 FROM messages m"',
    'x = "UPDATE documents SET tenant_id = $1 WHERE id = $2"',
    'x = "DELETE FROM documents d USING messages m WHERE d.tenant_id = $1"',
    'x = "SELECT 1 FROM messages m LEFT JOIN users u ON m.tenant_id = $1 AND u.id = $2"',
    'x = "SELECT 1 FROM messages m WHERE m.tenant_id = $1 UNION SELECT 2 FROM messages m"',
    'x = "SELECT 1 FROM messages m WHERE $2 = (SELECT 1 FROM users u WHERE m.tenant_id = $1)"',
    (
        'def w(v):\n    return "a" if v else "b OR c"\n'
        'x = f"SELECT 1 FROM messages m WHERE m.tenant_id = $1 AND {w(1)}"'
    ),
]

FENCED = [
    'x = "SELECT * FROM messages WHERE tenant_id = $1"',
    'x = "SELECT * FROM messages m WHERE m.tenant_id = $1"',
    'x = "SELECT * FROM tenants t WHERE t.id = $1"',
    'x = "SELECT * FROM users u WHERE u.id = $1"',
    'x = "INSERT INTO documents (tenant_id, id) VALUES ($1, $2)"',
    'x = "INSERT INTO documents (tenant_id, id) SELECT $1, id FROM unnest($2) AS id"',
    'W = "WHERE m.tenant_id = $1"\nx = f"SELECT 1 FROM messages m {W}"',
    'def w(v):\n    return f"WHERE m.tenant_id = $1"\nx = f"SELECT 1 FROM messages m {w(1)}"',
    f"x = {JOINED.format('c.tenant_id = $1 AND c.id = m.conversation_id')}",
    'x = "select * from public.messages where tenant_id = $1"',
    'x = "SELECT * FROM messages m WHERE m.tenant_id = $1 AND (m.id = $2 OR m.role = $3)"',
    'x = "SELECT * FROM messages m WHERE (m.role = $2 OR $3) AND (m.tenant_id = $1)"',
    'x = "SELECT * FROM messages m WHERE m.tenant_id = $1 AND NOT m.id = $2 ORDER BY m.id"',
    'x = "SELECT 1 FROM users u LEFT JOIN messages m ON m.tenant_id = $1 AND m.id = u.id"',
    'x = "DELETE FROM documents d USING users u WHERE d.tenant_id = $1 AND u.id = d.owner_id"',
    'x = "DELETE FROM tenants USING messages m WHERE m.tenant_id = $1 AND tenants.id = $1"',
    'x = "$2 OR EXISTS (SELECT FROM participants p WHERE p.tenant_id = $1) OR $3"',
    '"""Reads rows FROM messages."""',
    'x = f"nothing was read from {path}, messages and all"',
]

OF_NOBODY = [
    'await DB.fetch_identity(Row, "SELECT * FROM users")',
    'await DB.fetch_identity(Row, "SELECT * FROM users u WHERE u.id = ANY($1)")',
    'await DB.fetch_identity(Row, "SELECT * FROM sessions s WHERE s.id = $1")',
    f'await DB.fetch_identity(Row, "{ANYBODY} m.tenant_id = $1")',
    f'await DB.fetch_identity(Row, "{ANYBODY} m.user_id = $1 OR m.is_active")',
    f'await DB.fetch_identity(Row, "{ANYBODY} NOT m.user_id = $1")',
    "sql = 'SELECT 1'\nawait DB.fetch_identity(Row, sql)",
    'async with DB.identity():\n    await DB.fetch(Row, "SELECT * FROM users")',
    'async with DB.identity(read_only=True):\n    await DB.execute("DELETE FROM sessions")',
    "async with timeout(1), DB.identity():\n    await DB.fetch(Row, given)",
]

OF_SOMEBODY = [
    f'await DB.fetch_identity(Row, "{ANYBODY} m.user_id = $1 AND m.is_active")',
    'await DB.fetch_identity(Row, "SELECT * FROM users u WHERE u.id = $1")',
    'async with DB.identity():\n    await DB.fetch(Row, "SELECT 1")',
    'async with DB.tenant(id):\n    await DB.fetch(Row, "SELECT * FROM users")',
]

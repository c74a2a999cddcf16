"""With a person go the conversations that they had alone."""

from tables.migration import SQLMigrationManager

ID = "2026-11-24T17:00:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "solitary conversations"

FORWARDS = """
CREATE FUNCTION delete_solitary_conversations() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM conversations c USING memberships m, participants p
     WHERE m.user_id = OLD.id AND p.tenant_id = m.tenant_id AND p.user_id = OLD.id
       AND c.tenant_id = p.tenant_id AND c.id = p.conversation_id
       AND NOT EXISTS (SELECT FROM participants o WHERE o.tenant_id = c.tenant_id
           AND o.conversation_id = c.id AND o.user_id <> OLD.id);
    RETURN OLD;
END $$;
REVOKE EXECUTE ON FUNCTION delete_solitary_conversations() FROM PUBLIC;
CREATE TRIGGER users_delete_solitary BEFORE DELETE ON users
    FOR EACH ROW EXECUTE FUNCTION delete_solitary_conversations();
"""

BACKWARDS = """
DROP TRIGGER users_delete_solitary ON users;
DROP FUNCTION delete_solitary_conversations();
"""


async def forwards() -> SQLMigrationManager:
    return SQLMigrationManager(
        migration_id=ID,
        app_name="parley",
        description=DESCRIPTION,
        forwards_sql=[FORWARDS],
        backwards_sql=[BACKWARDS],
    )

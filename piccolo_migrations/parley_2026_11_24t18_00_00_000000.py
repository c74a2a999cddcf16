"""A search ends whatever was said, and nobody is brought into a conversation that goes at that moment."""

from tables.isolation import TENANT
from tables.migration import SQLMigrationManager

ID = "2026-11-24T18:00:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "bounded search"

VISIBLE = """m.tenant_id = tenant AND m.deleted_at IS NULL
            AND (places IS NULL OR m.conversation_id = ANY (places))
            AND NOT EXISTS (SELECT FROM conversations c WHERE c.tenant_id = tenant
                AND c.id = m.conversation_id AND c.deleted_at IS NOT NULL)"""

# What takes time is bounded, whatever was said: a rank costs up to half a second, of many words in a
# long message that repeats them, so that ranking ends after a second, with the newest; words are
# near among 50,000 at the most, of the newest messages.
# `member` is NULL for an admin, `conversation` for all. What a member may not see is left out
# before anything is counted: neither the bound nor a word that is near tells of it.
SEARCH = f"""
DROP FUNCTION search_messages;
CREATE FUNCTION search_messages(tenant uuid, member uuid, conversation uuid, query text)
RETURNS TABLE (id uuid, score float8, words tsquery, language regconfig)
LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 100
SET search_path = public, pg_temp SET plan_cache_mode = force_custom_plan AS $$
DECLARE
    kept tsvector;
    until timestamptz;
    places uuid[] := CASE WHEN conversation IS NULL THEN NULL ELSE ARRAY[conversation] END;
BEGIN
    IF tenant IS DISTINCT FROM {TENANT} THEN
        RAISE insufficient_privilege USING MESSAGE = 'a search in another workspace';
    END IF;
    language := search_language(tenant);
    words := websearch_to_tsquery(language, query);
    IF member IS NOT NULL THEN
        places := ARRAY(SELECT p.conversation_id FROM participants p WHERE p.tenant_id = tenant
            AND p.user_id = member AND (conversation IS NULL OR p.conversation_id = conversation));
    END IF;
    FOR attempt IN 1..2 LOOP
        FOR id, kept IN SELECT m.id, m.search FROM messages m
            WHERE {VISIBLE} AND m.search @@ words ORDER BY m.id DESC LIMIT 1000
        LOOP
            until := coalesce(until, clock_timestamp() + interval '1 second');
            score := ts_rank_cd(kept, words, 1);
            RETURN NEXT;
            EXIT WHEN clock_timestamp() > until;
        END LOOP;
        EXIT WHEN FOUND OR attempt = 2 OR words::text ~ '!';
        words := near_words(language, query, ARRAY(
            SELECT DISTINCT k.lexeme FROM (
                SELECT l.lexeme
                FROM (SELECT m.search FROM messages m WHERE {VISIBLE}
                    ORDER BY m.id DESC LIMIT 1000) f, unnest(f.search) l
                LIMIT 50000) k));
        EXIT WHEN words IS NULL;
    END LOOP;
END $$;
REVOKE EXECUTE ON FUNCTION search_messages FROM PUBLIC;
GRANT EXECUTE ON FUNCTION search_messages TO parley_tenant;
GRANT CREATE ON SCHEMA public TO parley_search;
ALTER FUNCTION search_messages OWNER TO parley_search;
REVOKE CREATE ON SCHEMA public FROM parley_search;
"""

# Who brings somebody in holds the lock on the conversation: once it is had, they are seen.
SOLITARY = """
CREATE OR REPLACE FUNCTION delete_solitary_conversations() RETURNS trigger LANGUAGE plpgsql
SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM FROM memberships m
       JOIN participants p ON p.tenant_id = m.tenant_id AND p.user_id = m.user_id
       JOIN conversations c ON c.tenant_id = p.tenant_id AND c.id = p.conversation_id
      WHERE m.user_id = OLD.id ORDER BY c.id FOR NO KEY UPDATE OF c;
    DELETE FROM conversations c USING memberships m, participants p
     WHERE m.user_id = OLD.id AND p.tenant_id = m.tenant_id AND p.user_id = OLD.id
       AND c.tenant_id = p.tenant_id AND c.id = p.conversation_id
       AND NOT EXISTS (SELECT FROM participants o WHERE o.tenant_id = c.tenant_id
           AND o.conversation_id = c.id AND o.user_id <> OLD.id);
    RETURN OLD;
END $$;
"""


async def forwards() -> SQLMigrationManager:
    """Nothing is to be undone: whoever calls the functions sees no difference."""
    return SQLMigrationManager(
        migration_id=ID,
        app_name="parley",
        description=DESCRIPTION,
        forwards_sql=[SEARCH, SOLITARY],
    )

"""Messages are found by their words.

The words are kept beside the message, in the workspace's language. Under row-level security `@@`
cannot use an index, since it might tell of rows that it looked at: the search is a function of a
role that is not under it, and says itself whose rows it means.
"""

from piccolo.columns.indexes import IndexMethod

from tables.columns import TSVector
from tables.isolation import TENANT
from tables.migration import SQLMigrationManager

ID = "2026-11-24T15:00:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "message search"

ROLE = """
CREATE EXTENSION IF NOT EXISTS fuzzystrmatch SCHEMA public;
GRANT SELECT ON messages, conversations, participants, tenants TO parley_search;
"""

# A name that no configuration has must not stop anybody from writing.
LANGUAGE = """
CREATE FUNCTION search_language(tenant uuid) RETURNS regconfig LANGUAGE sql STABLE
SET search_path = public, pg_temp AS $$
    SELECT coalesce((
        SELECT g.oid FROM tenants t JOIN pg_ts_config g
            ON g.cfgname = t.settings ->> 'searchLanguage'
            AND g.cfgnamespace = 'pg_catalog'::regnamespace
        WHERE t.id = tenant
    ), 'simple'::regconfig)::regconfig
$$;
REVOKE EXECUTE ON FUNCTION search_language(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION search_language(uuid) TO parley_tenant, parley_search;
"""

# What stands between < and > would be taken for markup, and left out.
WORDS = """
CREATE FUNCTION keep_search() RETURNS trigger LANGUAGE plpgsql
SET search_path = public, pg_temp AS $$
BEGIN
    NEW.search := to_tsvector(
        search_language(NEW.tenant_id), translate(left(NEW.content, 100000), '<>', '  ')
    );
    RETURN NEW;
END $$;
REVOKE EXECUTE ON FUNCTION keep_search() FROM PUBLIC;
CREATE TRIGGER messages_keep_search BEFORE INSERT OR UPDATE OF content, search ON messages
    FOR EACH ROW EXECUTE FUNCTION keep_search();
CREATE FUNCTION renew_search() RETURNS trigger LANGUAGE plpgsql
SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE messages SET search = NULL WHERE tenant_id = NEW.id;
    RETURN NULL;
END $$;
REVOKE EXECUTE ON FUNCTION renew_search() FROM PUBLIC;
CREATE TRIGGER tenants_renew_search AFTER UPDATE OF settings ON tenants FOR EACH ROW
    WHEN (OLD.settings -> 'searchLanguage' IS DISTINCT FROM NEW.settings -> 'searchLanguage')
    EXECUTE FUNCTION renew_search();
ALTER TABLE messages DISABLE TRIGGER messages_touch;
UPDATE messages SET search = NULL;
ALTER TABLE messages ENABLE TRIGGER messages_touch;
"""

# Rows that wait to be sorted in would be read by every search.
INDEX = """
CREATE INDEX messages_search ON messages USING gin (tenant_id, search) WITH (fastupdate = off);
"""

VISIBLE = """m.tenant_id = tenant AND m.deleted_at IS NULL
            AND (places IS NULL OR m.conversation_id = ANY (places))
            AND NOT EXISTS (SELECT FROM conversations c WHERE c.tenant_id = tenant
                AND c.id = m.conversation_id AND c.deleted_at IS NOT NULL)"""

# `member` is NULL for an admin, `conversation` for all. What a member may not see is left out
# before anything is counted: neither the bound nor a word that is near tells of it.
SEARCH = f"""
CREATE FUNCTION search_messages(tenant uuid, member uuid, conversation uuid, query text)
RETURNS TABLE (id uuid, score float8, words tsquery, language regconfig)
LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 100
SET search_path = public, pg_temp SET plan_cache_mode = force_custom_plan AS $$
DECLARE
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
        RETURN QUERY SELECT f.id, ts_rank_cd(f.search, words, 1)::float8, words, language
        FROM (SELECT m.id, m.search FROM messages m WHERE {VISIBLE} AND m.search @@ words
            ORDER BY m.id DESC LIMIT 1000) f;
        EXIT WHEN FOUND OR attempt = 2 OR words::text ~ '!';
        words := near_words(language, query, ARRAY(
            SELECT DISTINCT l.lexeme
            FROM (SELECT m.search FROM messages m WHERE {VISIBLE}
                ORDER BY m.id DESC LIMIT 1000) f, unnest(f.search) l));
        EXIT WHEN words IS NULL;
    END LOOP;
END $$;
"""

# Each word becomes the nearest ones of those that there are: up to two edits away, of one with
# four letters one, of a shorter one none.
# NULL when a word has none. Levenshtein's function refuses more than 255 characters.
NEAR = """
CREATE FUNCTION near_words(language regconfig, query text, known text[]) RETURNS tsquery
LANGUAGE sql STABLE SET search_path = public, pg_temp AS $$
    SELECT CASE WHEN bool_and(near.words IS NOT NULL)
        THEN string_agg('(' || near.words || ')', ' & ')::tsquery END
    FROM unnest(to_tsvector(language, query)) AS w, LATERAL (
        SELECT string_agg(
            '''' || replace(replace(n.word, '\\', '\\\\'), '''', '''''') || '''', ' | ') AS words
        FROM (
            SELECT k.word FROM (
                SELECT k.word, CASE WHEN abs(length(k.word) - length(w.lexeme)) <= most
                    THEN levenshtein_less_equal(w.lexeme, k.word, most) ELSE 3 END AS distance, most
                FROM unnest(known) AS k (word),
                    LATERAL (SELECT least(greatest(length(w.lexeme) - 3, 0), 2)) AS b (most)
                WHERE length(k.word) <= 210
            ) AS k WHERE k.distance <= k.most
            ORDER BY k.distance FETCH FIRST 1 ROW WITH TIES
        ) AS n
    ) AS near
$$;
"""

OWNED = """
REVOKE EXECUTE ON FUNCTION near_words(regconfig, text, text[]) FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION search_messages(uuid, uuid, uuid, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION near_words(regconfig, text, text[]) TO parley_search;
GRANT EXECUTE ON FUNCTION search_messages(uuid, uuid, uuid, text) TO parley_tenant;
GRANT CREATE ON SCHEMA public TO parley_search;
ALTER FUNCTION search_messages(uuid, uuid, uuid, text) OWNER TO parley_search;
REVOKE CREATE ON SCHEMA public FROM parley_search;
"""

UNSEARCHED = """
DROP FUNCTION search_messages(uuid, uuid, uuid, text), near_words(regconfig, text, text[]);
DROP TRIGGER tenants_renew_search ON tenants;
DROP TRIGGER messages_keep_search ON messages;
DROP FUNCTION renew_search(), keep_search(), search_language(uuid);
DROP INDEX messages_search;
REVOKE SELECT ON messages, conversations, participants, tenants FROM parley_search;
DROP EXTENSION fuzzystrmatch;
"""


async def forwards() -> SQLMigrationManager:
    manager = SQLMigrationManager(
        migration_id=ID,
        app_name="parley",
        description=DESCRIPTION,
        forwards_sql=[ROLE, LANGUAGE, WORDS, INDEX, NEAR, SEARCH, OWNED],
        backwards_sql=[UNSEARCHED],
    )

    manager.add_column(
        table_class_name="Message",
        tablename="messages",
        column_name="search",
        db_column_name="search",
        column_class_name="TSVector",
        column_class=TSVector,
        params={
            "default": None,
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

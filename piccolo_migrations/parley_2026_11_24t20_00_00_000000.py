"""Documents are found best first, by words in the workspace's language, as messages are."""

from tables.isolation import TENANT, touch, untouch
from tables.migration import SQLMigrationManager

ID = "2026-11-24T20:00:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "document search"

RANKED = 1000
"""Of more matches the newest are ranked: a score takes 0.03 ms, of a long document 0.1 ms and more."""

LIKE = 0.28
"""From which similarity on a word is like a name: two letters swapped are (budget, bugdet)."""

ENGLISH = "'pg_catalog.english'"


# A file name is also read as words: the parser takes plan.md for a host. A tsvector has a limit,
# and a text that exceeds it is found by its beginning.
def keep_words(language: str, columns: str) -> str:
    return f"""
CREATE OR REPLACE FUNCTION set_document_words() RETURNS trigger LANGUAGE plpgsql
SET search_path = public, pg_temp AS $$
DECLARE
    name text := left(NEW.filename, 1000);
    characters int := coalesce(length(NEW.content), 0);
BEGIN
    LOOP
        BEGIN
            NEW.words := to_tsvector({language}, concat_ws(' ', name,
                translate(name, '._-/', '    '), left(NEW.content, characters)));
            RETURN NEW;
        EXCEPTION WHEN program_limit_exceeded THEN
            characters := characters / 2;
        END;
    END LOOP;
END $$;
CREATE OR REPLACE TRIGGER documents_words BEFORE INSERT OR UPDATE OF {columns} ON documents
    FOR EACH ROW EXECUTE FUNCTION set_document_words();
"""


# All but the words: a document whose words are renewed has not changed.
TOUCHING = """tenant_id, id, created_at, updated_at, deleted_at, owner_id, filename, content_type,
    size, content, metadata, tags, source_id, idempotency_key, request_digest"""
RENEW = """
UPDATE documents SET words = NULL;
"""


def renew_search(*statements: str) -> str:
    body = "\n    ".join(f"{statement};" for statement in statements)
    return f"""
CREATE OR REPLACE FUNCTION renew_search() RETURNS trigger LANGUAGE plpgsql
SET search_path = public, pg_temp AS $$
BEGIN
    {body}
    RETURN NULL;
END $$;
"""


MESSAGES = "UPDATE messages SET search = NULL WHERE tenant_id = NEW.id"
DOCUMENTS = "UPDATE documents SET words = NULL WHERE tenant_id = NEW.id"

# Once pg_trgm is loaded, its threshold is a parameter that anybody may set.
REPLACED = """
DROP FUNCTION documents_matching;
SELECT word_similarity('', '');
"""

# Only the conditions that are given, planned for what they are given: the rarest finds the rows.
# How common a word is, is known of all workspaces together: no plan may rest on it, so that what
# matches is found by its index, and sorted afterwards. PostgreSQL takes an operator for cheap, and
# would filter the workspace by it; these read long texts.
# Both parts of a score are from 0 to 1. A faint likeness is worth little: it is squared.
SEARCH = f"""
CREATE FUNCTION documents_matching(
    tenant uuid, search text, tags_all text[], tags_any text[], metadata_contains jsonb,
    of_type text DEFAULT NULL, owner uuid DEFAULT NULL, with_deleted boolean DEFAULT true
) RETURNS TABLE (id uuid, created_at timestamptz, score float8)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = public, pg_temp SET enable_seqscan = off SET cpu_operator_cost = 1
SET max_parallel_workers_per_gather = 0 SET pg_trgm.word_similarity_threshold = {LIKE} AS $$
DECLARE
    found text := concat_ws(' AND ',
        'SELECT d.id, d.created_at FROM documents d WHERE d.tenant_id = $1',
        CASE WHEN tags_all IS NOT NULL THEN 'd.tags @> $2' END,
        CASE WHEN tags_any IS NOT NULL THEN 'd.tags && $3' END,
        CASE WHEN metadata_contains IS NOT NULL THEN 'd.metadata @> $4' END,
        CASE WHEN of_type IS NOT NULL THEN 'd.content_type = $5' END,
        CASE WHEN owner IS NOT NULL THEN 'd.owner_id = $6' END,
        CASE WHEN NOT with_deleted THEN 'd.deleted_at IS NULL' END);
    names text[] := ARRAY(SELECT DISTINCT word FROM regexp_split_to_table(search, '\\W+') word
        WHERE word <> '' AND search !~ '(^|\\s)-|"');
    words tsquery;
    rank text := '0::float8';
BEGIN
    IF tenant IS DISTINCT FROM {TENANT} THEN
        RETURN;
    END IF;
    IF search IS NOT NULL THEN
        words := websearch_to_tsquery(search_language(tenant), search);
        found := concat(found, ' AND d.words @@ $7', ' UNION ' || found || (
            SELECT string_agg(format(' AND %L <%% d.filename', name), '') FROM unnest(names) name));
        rank := 'CASE WHEN row_number() OVER (ORDER BY f.created_at DESC, f.id DESC) <= {RANKED}
            THEN (SELECT ts_rank_cd(d.words, $7, 1 | 32) + coalesce((
                SELECT avg(CASE WHEN alike >= {LIKE} THEN alike * alike ELSE 0 END)
                FROM unnest($8) name, word_similarity(name, d.filename) alike), 0)
                FROM documents d WHERE d.tenant_id = $1 AND d.id = f.id) ELSE 0 END';
    END IF;
    RETURN QUERY EXECUTE format('SELECT f.id, f.created_at, %s FROM (%s) f', rank, found)
        USING tenant, tags_all, tags_any, metadata_contains, of_type, owner, words, names;
END $$;
"""

MATCHING = f"""
CREATE FUNCTION documents_matching(
    tenant uuid, search text, tags_all text[], tags_any text[], metadata_contains jsonb
) RETURNS SETOF uuid LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path = public, pg_temp SET pg_trgm.word_similarity_threshold = {LIKE} AS $$
DECLARE
    found text := concat_ws(' AND ', 'SELECT d.id FROM documents d WHERE d.tenant_id = $1',
        CASE WHEN tags_all IS NOT NULL THEN 'd.tags @> $3' END,
        CASE WHEN tags_any IS NOT NULL THEN 'd.tags && $4' END,
        CASE WHEN metadata_contains IS NOT NULL THEN 'd.metadata @> $5' END);
    words text := ' AND d.words @@ websearch_to_tsquery(''pg_catalog.english'', $2)';
    name text := string_agg(format(' AND %L <%% d.filename', word), '')
        FROM regexp_split_to_table(search, '\\W+') word
        WHERE word <> '' AND search !~ '(^|\\s)-|"';
BEGIN
    IF tenant IS DISTINCT FROM {TENANT} THEN
        RETURN;
    END IF;
    IF search IS NOT NULL THEN
        found := concat(found, words, ' UNION ' || found || name);
    END IF;
    RETURN QUERY EXECUTE found USING tenant, search, tags_all, tags_any, metadata_contains;
END $$;
"""

# Who owns a function may create where it is, so the role may for this moment.
OWNED = """
REVOKE EXECUTE ON FUNCTION documents_matching FROM PUBLIC;
GRANT EXECUTE ON FUNCTION documents_matching TO parley_tenant;
GRANT CREATE ON SCHEMA public TO parley_search;
ALTER FUNCTION documents_matching OWNER TO parley_search;
REVOKE CREATE ON SCHEMA public FROM parley_search;
"""


async def forwards() -> SQLMigrationManager:
    return SQLMigrationManager(
        migration_id=ID,
        app_name="parley",
        description=DESCRIPTION,
        forwards_sql=[
            keep_words("search_language(NEW.tenant_id)", "filename, content, words"),
            untouch("documents") + touch("documents", TOUCHING),
            RENEW,
            renew_search(MESSAGES, DOCUMENTS),
            REPLACED,
            SEARCH,
            OWNED,
        ],
        backwards_sql=[
            REPLACED,
            MATCHING,
            OWNED,
            renew_search(MESSAGES),
            keep_words(ENGLISH, "filename, content, words"),
            RENEW,
            keep_words(ENGLISH, "filename, content"),
            untouch("documents") + touch("documents"),
        ],
    )

"""Keys of retried documents, and what documents are found by.

Under row-level security an operator that is not leakproof is no index condition: @>, &&, @@ and
similarity would read a whole workspace. So a function asks them, with the rights of a role that no
policy holds for and that reads documents only. It takes the tenant, and answers no other than that
of the scope.
"""

from piccolo.columns.column_types import JSONB, Array, Bytea, Text
from piccolo.columns.indexes import IndexMethod

from tables.columns import TSVector
from tables.isolation import TENANT
from tables.migration import SQLMigrationManager

ID = "2026-11-24T14:00:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "documents"

# Membership lets the tables' owner hand functions over, and gives it nothing that it had not.
ROLE = """
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'parley_search') THEN
        BEGIN
            CREATE ROLE parley_search NOLOGIN BYPASSRLS;
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL;  -- another database of the cluster was migrated at the same moment
        END;
    END IF;
    IF NOT pg_has_role('parley_search', 'SET') THEN
        EXECUTE format('GRANT parley_search TO %I WITH INHERIT FALSE', current_user);
    END IF;
END $$;
GRANT USAGE ON SCHEMA public TO parley_search;
GRANT SELECT ON documents TO parley_search;
CREATE EXTENSION IF NOT EXISTS btree_gin SCHEMA public;
CREATE EXTENSION IF NOT EXISTS pg_trgm SCHEMA public;
"""

# A file name is also read as words: the parser takes plan.md for a host. A tsvector has a limit,
# and a text that exceeds it is found by its beginning.
WORDS = """
CREATE FUNCTION set_document_words() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    name text := left(NEW.filename, 1000);
    characters int := coalesce(length(NEW.content), 0);
BEGIN
    LOOP
        BEGIN
            NEW.words := to_tsvector('pg_catalog.english', concat_ws(' ', name,
                translate(name, '._-/', '    '), left(NEW.content, characters)));
            RETURN NEW;
        EXCEPTION WHEN program_limit_exceeded THEN
            characters := characters / 2;
        END;
    END LOOP;
END $$;
REVOKE EXECUTE ON FUNCTION set_document_words FROM PUBLIC;
CREATE TRIGGER documents_words BEFORE INSERT OR UPDATE OF filename, content ON documents
    FOR EACH ROW EXECUTE FUNCTION set_document_words();
ALTER TABLE documents DISABLE TRIGGER documents_touch;
UPDATE documents SET filename = filename;
ALTER TABLE documents ENABLE TRIGGER documents_touch;
"""

INDEXES = """
CREATE UNIQUE INDEX documents_idempotency_key ON documents (tenant_id, owner_id, idempotency_key)
    WHERE idempotency_key IS NOT NULL;
CREATE INDEX documents_content_type ON documents (tenant_id, content_type, created_at, id);
CREATE INDEX documents_owner ON documents (owner_id, tenant_id, created_at, id);
DROP INDEX documents_owner_id;
CREATE INDEX documents_of_tag ON documents USING gin (tenant_id, tags);
CREATE INDEX documents_of_metadata ON documents USING gin (tenant_id, metadata);
CREATE INDEX documents_of_word ON documents USING gin (tenant_id, words);
CREATE INDEX documents_of_name ON documents USING gin (tenant_id, filename gin_trgm_ops);
"""

UNINDEXED = """
CREATE INDEX documents_owner_id ON documents (owner_id);
DROP INDEX documents_idempotency_key, documents_content_type, documents_owner, documents_of_tag,
    documents_of_metadata, documents_of_word, documents_of_name;
"""

# Only the conditions that are given, planned for what they are given: the rarest finds the rows.
# A name is found when each word is like one of it, two letters swapped too (budget, bugdet: 0.286).
# Who owns a function may create where it is, so the role may for this moment.
MATCHING = f"""
CREATE FUNCTION documents_matching(
    tenant uuid, search text, tags_all text[], tags_any text[], metadata_contains jsonb
) RETURNS SETOF uuid LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path = public, pg_temp SET pg_trgm.word_similarity_threshold = 0.28 AS $$
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
REVOKE EXECUTE ON FUNCTION documents_matching FROM PUBLIC;
GRANT EXECUTE ON FUNCTION documents_matching TO parley_tenant;
GRANT CREATE ON SCHEMA public TO parley_search;
ALTER FUNCTION documents_matching OWNER TO parley_search;
REVOKE CREATE ON SCHEMA public FROM parley_search;
"""

# The role stays: another database of the cluster may use it.
NO_SEARCH = """
DROP FUNCTION documents_matching;
DROP TRIGGER documents_words ON documents;
DROP FUNCTION set_document_words;
DROP EXTENSION pg_trgm, btree_gin;
REVOKE SELECT ON documents FROM parley_search;
REVOKE USAGE ON SCHEMA public FROM parley_search;
"""


async def forwards() -> SQLMigrationManager:
    manager = SQLMigrationManager(
        migration_id=ID,
        app_name="parley",
        description=DESCRIPTION,
        forwards_sql=[ROLE, WORDS, INDEXES, MATCHING],
        backwards_sql=[UNINDEXED, NO_SEARCH],
    )

    for name, kind in {"idempotency_key": Text, "request_digest": Bytea}.items():
        manager.add_column(
            table_class_name="Document",
            tablename="documents",
            column_name=name,
            db_column_name=name,
            column_class_name=kind.__name__,
            column_class=kind,
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

    manager.add_column(
        table_class_name="Document",
        tablename="documents",
        column_name="words",
        db_column_name="words",
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

    for name, column_class in (("metadata", JSONB), ("tags", Array)):
        manager.alter_column(
            table_class_name="Document",
            tablename="documents",
            column_name=name,
            db_column_name=name,
            params={"index": False, "index_method": IndexMethod.btree},
            old_params={"index": True, "index_method": IndexMethod.gin},
            column_class=column_class,
            old_column_class=column_class,
            schema=None,
        )

    return manager

"""Keys of retried documents, and what documents are found by.

Under row-level security an operator that is not leakproof is no index condition: @>, &&, @@ and
similarity would read a whole workspace. So functions ask them, with the rights of a role that no
policy holds for and that reads documents only. Each takes the tenant, and answers no other than
that of the scope.
"""

from piccolo.columns.column_types import JSONB, Array, Text
from piccolo.columns.indexes import IndexMethod

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
CREATE FUNCTION document_words(filename text, content text) RETURNS tsvector
    LANGUAGE plpgsql IMMUTABLE COST 10000 AS $$
DECLARE
    name text := left(filename, 1000);
    characters int := coalesce(length(content), 0);
BEGIN
    LOOP
        BEGIN
            RETURN to_tsvector('pg_catalog.english', concat_ws(' ', name,
                translate(name, '._-/', '    '), left(content, characters)));
        EXCEPTION WHEN program_limit_exceeded THEN
            characters := characters / 2;
        END;
    END LOOP;
END $$;
REVOKE EXECUTE ON FUNCTION document_words FROM PUBLIC;
GRANT EXECUTE ON FUNCTION document_words TO parley_tenant, parley_search;
"""

INDEXES = """
CREATE UNIQUE INDEX documents_idempotency_key ON documents (tenant_id, owner_id, idempotency_key)
    WHERE idempotency_key IS NOT NULL;
CREATE INDEX documents_content_type ON documents (tenant_id, content_type, created_at, id);
CREATE INDEX documents_owner ON documents (owner_id, tenant_id, created_at, id);
DROP INDEX documents_owner_id;
CREATE INDEX documents_of_tag ON documents USING gin (tenant_id, tags);
CREATE INDEX documents_of_metadata ON documents USING gin (tenant_id, metadata);
CREATE INDEX documents_of_word ON documents
    USING gin (tenant_id, document_words(filename, content));
CREATE INDEX documents_of_name ON documents USING gin (tenant_id, filename gin_trgm_ops);
"""

UNINDEXED = """
CREATE INDEX documents_owner_id ON documents (owner_id);
DROP INDEX documents_idempotency_key, documents_content_type, documents_owner, documents_of_tag,
    documents_of_metadata, documents_of_word, documents_of_name;
"""

FUNCTION = """
CREATE FUNCTION {name}(tenant uuid, {argument}) RETURNS SETOF uuid
    LANGUAGE sql STABLE SECURITY DEFINER {options} SET search_path = public, pg_temp AS $$
    {body}
$$;
REVOKE EXECUTE ON FUNCTION {name} FROM PUBLIC;
GRANT EXECUTE ON FUNCTION {name} TO parley_tenant;
ALTER FUNCTION {name} OWNER TO parley_search;
"""

OF_TENANT = f"""SELECT id FROM documents
    WHERE tenant = {TENANT} AND tenant_id = tenant"""


def _finds(name: str, argument: str, condition: str, *others: str, options: str = "") -> str:
    body = "\n    UNION ".join(f"{OF_TENANT} AND {one}" for one in (condition, *others))
    return FUNCTION.format(name=name, argument=argument, body=body, options=options)


FINDING = "\n".join(
    [
        # Who owns a function may create where it is: for this moment only.
        "GRANT CREATE ON SCHEMA public TO parley_search;",
        _finds("documents_with_all_tags", "wanted text[]", "tags @> wanted"),
        _finds("documents_with_any_tag", "wanted text[]", "tags && wanted"),
        _finds("documents_with_metadata", "wanted jsonb", "metadata @> wanted"),
        _finds(
            "documents_found",
            "wanted text",
            "document_words(filename, content) @@ websearch_to_tsquery('english', wanted)",
            "wanted <% filename",
            options="SET pg_trgm.word_similarity_threshold = 0.4",
        ),
        "REVOKE CREATE ON SCHEMA public FROM parley_search;",
    ]
)

# The role stays: another database of the cluster may use it.
NO_SEARCH = """
DROP FUNCTION documents_with_all_tags, documents_with_any_tag, documents_with_metadata,
    documents_found;
DROP FUNCTION document_words;
DROP EXTENSION pg_trgm, btree_gin;
REVOKE SELECT ON documents FROM parley_search;
REVOKE USAGE ON SCHEMA public FROM parley_search;
"""


async def forwards() -> SQLMigrationManager:
    manager = SQLMigrationManager(
        migration_id=ID,
        app_name="parley",
        description=DESCRIPTION,
        forwards_sql=[ROLE, WORDS, INDEXES, FINDING],
        backwards_sql=[UNINDEXED, NO_SEARCH],
    )

    for name in ("idempotency_key", "idempotency_digest"):
        manager.add_column(
            table_class_name="Document",
            tablename="documents",
            column_name=name,
            db_column_name=name,
            column_class_name="Text",
            column_class=Text,
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

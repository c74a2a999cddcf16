"""Indexes that have all that is asked of them.

The messages that cite a document were read from the index of what a message cites, all of a
workspace for each document; and an owner's conversations from all of the workspace's.
"""

from tables.migration import SQLMigrationManager

ID = "2026-11-25T04:50:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "indexes of citations and of owners"


CITED_BY = "message_documents_cited_by ON message_documents"


async def forwards() -> SQLMigrationManager:
    return SQLMigrationManager(
        migration_id=ID,
        app_name="parley",
        description=DESCRIPTION,
        forwards_sql=[
            "DROP INDEX message_documents_cited_by, conversations_owner_id",
            f"CREATE INDEX {CITED_BY} (tenant_id, document_id, message_id)",
            "CREATE INDEX conversations_owner ON conversations (owner_id, tenant_id)",
        ],
        backwards_sql=[
            "DROP INDEX message_documents_cited_by, conversations_owner",
            f"CREATE INDEX {CITED_BY} (tenant_id, document_id)",
            "CREATE INDEX conversations_owner_id ON conversations (owner_id)",
        ],
    )

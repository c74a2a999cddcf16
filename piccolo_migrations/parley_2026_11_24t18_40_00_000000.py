"""What the planner cannot know of keys.

A conversation is of one workspace: the two columns of a key are not independent, and whoever
multiplies how rare each is expects one message where a thousand are. A plan for all values then
went through all conversations of a member to find one message by its id.
"""

from tables.migration import SQLMigrationManager

ID = "2026-11-24T18:40:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "statistics of keys"

KEYS = {
    "messages_conversation": "tenant_id, conversation_id FROM messages",
    "participants_conversation": "tenant_id, conversation_id FROM participants",
    "participants_user": "tenant_id, user_id FROM participants",
    "memberships_user": "tenant_id, user_id FROM memberships",
}


async def forwards() -> SQLMigrationManager:
    return SQLMigrationManager(
        migration_id=ID,
        app_name="parley",
        description=DESCRIPTION,
        forwards_sql=[
            *(
                f"CREATE STATISTICS {name} (dependencies, ndistinct) ON {columns}"
                for name, columns in KEYS.items()
            ),
            "ANALYZE messages, participants, memberships",
        ],
        backwards_sql=[f"DROP STATISTICS {', '.join(KEYS)}"],
    )

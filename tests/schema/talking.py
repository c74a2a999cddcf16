"""What a conversation's tables hold, and whether it adds up."""

from typing import Any
from uuid import UUID

from tests.schema.workspace import Workspace, gid

MESSAGE = """message { id sequence role content tokenCount metadata editedAt deletedAt
    author { username } conversation { id messageCount unreadCount } usedDocuments { id } }"""


async def say(acme: Workspace, who: str, talk: UUID, content: str = "hi", **more: Any) -> Any:
    """The message."""
    payload = await acme.by(who).mutate(
        "sendMessage", MESSAGE, conversationId=gid("Conversation", talk), content=content, **more
    )
    assert payload["errors"] == [], payload
    return payload["message"]


async def unread(acme: Workspace, who: str, talk: UUID) -> int:
    query = "query ($id: ID!) { conversation(by: {id: $id}) { unreadCount } }"
    data = await acme.by(who).ask(query, id=gid("Conversation", talk))
    count: int = data["conversation"]["unreadCount"]
    return count


async def state(acme: Workspace, *tables: str) -> list[Any]:
    """All rows of tables, to see that nothing has changed."""
    tables = tables or ("conversations", "participants", "messages", "message_documents")
    sql = " UNION ALL ".join(f"SELECT to_jsonb(t)::text FROM {table} t" for table in tables)
    return sorted(row[0] for row in await acme.cast.connection.fetch(sql))


async def events(acme: Workspace) -> list[tuple[str, str]]:
    rows = await acme.cast.connection.fetch(
        "SELECT action, target_id FROM audit_events ORDER BY created_at, id"
    )
    return [(row["action"], row["target_id"]) for row in rows]


async def assert_it_adds_up(acme: Workspace, talk: UUID) -> None:
    """Sequences and versions without gaps; what is counted is what is there."""
    connection = acme.cast.connection
    row = await connection.fetchrow("SELECT * FROM conversations WHERE id = $1", talk)
    assert row is not None
    messages = await connection.fetch(
        "SELECT * FROM messages WHERE conversation_id = $1 ORDER BY sequence", talk
    )
    sequences = [message["sequence"] for message in messages]
    assert sequences == [*range(1, row["last_sequence"] + 1)]
    there = [m["sequence"] for m in messages if m["deleted_at"] is None]
    assert row["message_count"] == len(there)
    assert max((m["version"] for m in messages), default=0) == row["version"]
    times = [message["created_at"] for message in messages]
    assert times == sorted(times)
    for reader in await connection.fetch(
        "SELECT * FROM participants WHERE conversation_id = $1", talk
    ):
        read = [sequence for sequence in there if sequence <= reader["last_read_sequence"]]
        assert reader["read_count"] == len(read)

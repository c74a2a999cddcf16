import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from core.settings import Settings
from ops.database import Connection
from ops.failure import Failure
from ops.seed import Seeded, seed
from tests.conftest import Database

NOW = datetime(2026, 3, 1, 0, 30, tzinfo=UTC)  # early: yesterday must not become today


def settings(database: Database) -> Settings:
    return Settings(owner_database_url=database.url("parley_owner"))


@pytest.fixture
async def connection(database: Database) -> AsyncIterator[Connection]:
    connection = await database.connect()
    yield connection
    await connection.close()


async def everything(connection: Connection) -> list[asyncpg.Record]:
    tables = ["tenants", "users", "memberships", "documents", "conversations", "participants"]
    tables += ["messages", "message_documents"]
    return [
        row
        for table in tables
        for row in await connection.fetch(f"SELECT * FROM {table} ORDER BY id")
    ]


async def test_the_second_run_changes_nothing(database: Database, connection: Connection) -> None:
    first = await seed(settings(database), NOW)
    assert first.users == 3
    assert first.conversations == await connection.fetchval("SELECT count(*) FROM conversations")
    assert first.messages == await connection.fetchval("SELECT count(*) FROM messages")
    before = await everything(connection)
    second = await seed(settings(database), NOW + timedelta(days=3))
    assert second == Seeded(0, 0, 0, 0)
    assert str(second) == "the demo workspace is complete: nothing to add"
    assert await everything(connection) == before


async def test_what_is_missing_comes_back(database: Database, connection: Connection) -> None:
    await seed(settings(database), NOW)
    await connection.execute("DELETE FROM conversations WHERE short_id = 'regex'")
    again = await seed(settings(database), NOW)
    assert str(again) == (
        "demo workspace: added 0 users, 0 documents, 1 conversations with 4 messages"
    )


async def test_two_at_once(database: Database, connection: Connection) -> None:
    results = await asyncio.gather(*(seed(settings(database), NOW) for _ in range(3)))
    assert sorted(result.users for result in results) == [0, 0, 3]


async def test_people_who_are_here_already_are_left_alone(
    database: Database, connection: Connection
) -> None:
    await connection.execute(
        "INSERT INTO users (username, full_name, email) VALUES"
        " ('admin', 'Somebody Else', NULL), ('anna', 'Anna', 'user2@example.com')"
    )
    await seed(settings(database), NOW)
    rows = await connection.fetch(
        "SELECT username, full_name, email, m.role FROM users u"
        " LEFT JOIN memberships m ON m.user_id = u.id ORDER BY username"
    )
    assert [tuple(row) for row in rows] == [
        ("admin", "Somebody Else", None, "OWNER"),
        ("anna", "Anna", "user2@example.com", None),
        ("user2", "Lukas Brandt", None, "ADMIN"),
        ("user3", "Priya Nair", "user3@example.com", "MEMBER"),
    ]


@pytest.mark.parametrize(
    ("promise", "broken"),
    [
        (
            "counters are those of the messages",
            """SELECT short_id FROM conversations c LEFT JOIN LATERAL (
                 SELECT count(*) AS messages, max(sequence) AS sequence, max(version) AS version,
                        max(created_at) AS newest
                   FROM messages WHERE conversation_id = c.id) m ON true
                WHERE (c.message_count, c.last_sequence, c.version, c.last_message_at)
                   IS DISTINCT FROM (m.messages, m.sequence, m.version, m.newest)""",
        ),
        (
            "nobody has read more than there is",
            """SELECT p.id FROM participants p JOIN conversations c ON c.id = p.conversation_id
                WHERE p.read_count <> p.last_read_sequence
                   OR p.read_count NOT BETWEEN 0 AND c.message_count""",
        ),
        (
            "only participants write",
            """SELECT m.id FROM messages m WHERE role = 'USER' AND NOT EXISTS (
                SELECT FROM participants p
                 WHERE p.conversation_id = m.conversation_id AND p.user_id = m.author_id)""",
        ),
        (
            "only people are authors",
            "SELECT id FROM messages WHERE (role = 'USER') <> (author_id IS NOT NULL)",
        ),
        (
            "owners take part",
            """SELECT id FROM conversations c WHERE NOT EXISTS (
                SELECT FROM participants p
                 WHERE p.conversation_id = c.id AND p.user_id = owner_id)""",
        ),
        (
            "messages follow each other",
            """SELECT id FROM (SELECT id, created_at > lag(created_at, 1, '-infinity') OVER (
                PARTITION BY conversation_id ORDER BY sequence) AS later FROM messages) m
                WHERE NOT later""",
        ),
        ("all of it is past", f"SELECT id FROM messages WHERE created_at > '{NOW}'"),
        (
            "a document is older than what cites it",
            """SELECT m.id FROM message_documents c JOIN messages m ON m.id = c.message_id
                JOIN documents d ON d.id = c.document_id WHERE d.created_at > m.created_at""",
        ),
        (
            "every document is cited",
            "SELECT id FROM documents WHERE id NOT IN (SELECT document_id FROM message_documents)",
        ),
        ("sizes are bytes", "SELECT id FROM documents WHERE size <> octet_length(content)"),
        ("nobody has a password", "SELECT id FROM users WHERE password_hash IS NOT NULL"),
    ],
    ids=lambda value: value if len(value) < 40 else "",
)
async def test_the_demo_is_consistent(
    database: Database,
    connection: Connection,
    promise: str,
    broken: str,
) -> None:
    await seed(settings(database), NOW)
    assert not await connection.fetch(broken), promise


async def test_there_is_something_to_see(database: Database, connection: Connection) -> None:
    await seed(settings(database), NOW)
    sizes = [
        row["message_count"]
        for row in await connection.fetch("SELECT message_count FROM conversations")
    ]
    assert len(sizes) == 12
    assert min(sizes) == 4
    assert max(sizes) > 20
    unread = await connection.fetchval(
        "SELECT count(*) FROM participants p JOIN conversations c ON c.id = p.conversation_id"
        " WHERE read_count < message_count"
    )
    assert unread >= 5


async def test_never_in_production(database: Database, connection: Connection) -> None:
    production = settings(database).model_copy(update={"environment": "production"})
    with pytest.raises(Failure, match="for development"):
        await seed(production)
    assert not await connection.fetchval("SELECT count(*) FROM tenants")

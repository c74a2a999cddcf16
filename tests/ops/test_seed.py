import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from pydantic import SecretStr

from core.passwords import Passwords
from core.settings import Settings
from ops.database import Connection
from ops.failure import Failure
from ops.seed import Seeded, seed
from tests.conftest import Database

NOW = datetime(2026, 3, 1, 0, 30, tzinfo=UTC)  # early: yesterday must not become today
PEOPLE = ["admin", "user2", "user3"]
CONFIGURED = "correct horse battery staple"


def settings(database: Database, password: str | None = None) -> Settings:
    return Settings(
        owner_database_url=database.url("parley_owner"),
        seed_password=None if password is None else SecretStr(password),
        argon2_memory_kib=1024,
        argon2_time_cost=1,
    )


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


async def who_signs_in(database: Database, passwords: Mapping[str, str]) -> list[str]:
    """Whose password it is."""
    connection = await database.connect()
    rows = await connection.fetch("SELECT username, password_hash FROM users ORDER BY username")
    await connection.close()
    with closing(Passwords.of(settings(database))) as hashed:
        return [
            row["username"]
            for row in rows
            if row["username"] in passwords
            and await hashed.verify(passwords[row["username"]], row["password_hash"])
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
    assert [len(result.passwords) for result in results] == [result.users for result in results]
    assert await who_signs_in(database, max(results, key=lambda it: it.users).passwords) == PEOPLE


async def test_everybody_gets_a_password_that_is_shown_once(
    database: Database, connection: Connection
) -> None:
    first = await seed(settings(database), NOW)
    assert await who_signs_in(database, first.passwords) == PEOPLE
    assert len(set(first.passwords.values())) == 3
    assert all(len(password) == 16 for password in first.passwords.values())
    lines = str(first).splitlines()
    assert [line.split() for line in lines[-3:]] == [list(pair) for pair in first.passwords.items()]
    assert not any(password in repr(first) for password in first.passwords.values())
    second = await seed(settings(database), NOW)
    assert (second.passwords, second.configured) == ({}, ())


async def test_the_password_of_the_settings(database: Database, connection: Connection) -> None:
    first = await seed(settings(database, CONFIGURED), NOW)
    assert (first.passwords, first.configured) == ({}, tuple(PEOPLE))
    assert str(first).endswith("PARLEY_SEED_PASSWORD is now the password of admin, user2, user3")
    assert CONFIGURED not in str(first)
    assert await who_signs_in(database, dict.fromkeys(PEOPLE, CONFIGURED)) == PEOPLE
    before = await everything(connection)
    assert await seed(settings(database, "another password, not theirs"), NOW) == Seeded(0, 0, 0, 0)
    assert await everything(connection) == before


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("hush-hu", "Must have at least 8 characters."),
        ("password", "Is easily guessed"),
        ("AmaraOkafor", "Is easily guessed"),
        ("user2user2", "Is easily guessed"),
    ],
)
async def test_a_weak_password_stops_it(
    database: Database, connection: Connection, password: str, reason: str
) -> None:
    with pytest.raises(Failure, match=f"^PARLEY_SEED_PASSWORD: {reason}") as caught:
        await seed(settings(database, password), NOW)
    assert password not in str(caught.value).split()
    assert not await everything(connection)


@pytest.mark.parametrize("password", [None, CONFIGURED])
async def test_an_older_demo_gets_passwords(
    database: Database, connection: Connection, password: str | None
) -> None:
    await seed(settings(database), NOW)
    await connection.execute("UPDATE users SET password_hash = NULL WHERE username <> 'user2'")
    before = await connection.fetchval("SELECT password_hash FROM users WHERE username = 'user2'")
    results = await asyncio.gather(*(seed(settings(database, password), NOW) for _ in range(3)))
    [changed] = [result for result in results if result != Seeded(0, 0, 0, 0)]
    given = {**dict.fromkeys(changed.configured, CONFIGURED), **changed.passwords}
    assert await who_signs_in(database, given) == ["admin", "user3"]
    after = await connection.fetchval("SELECT password_hash FROM users WHERE username = 'user2'")
    assert after == before


async def test_a_changed_password_stays(database: Database, connection: Connection) -> None:
    await seed(settings(database), NOW)
    with closing(Passwords.of(settings(database))) as passwords:
        changed = await passwords.hash("my own, since yesterday")
    await connection.execute("UPDATE users SET password_hash = $1", changed)
    await seed(settings(database), NOW)
    await seed(settings(database, CONFIGURED), NOW)
    mine = dict.fromkeys(PEOPLE, "my own, since yesterday")
    assert await who_signs_in(database, mine) == PEOPLE


@pytest.mark.parametrize(
    ("full_name", "email"),
    [
        (None, None),
        ("Somebody Else", None),
        ("Somebody Else", "admin@example.com"),
        (None, "admin@example.com"),
        ("Amara Okafor", None),
        ("Amara Okafor", "amara@example.com"),
    ],
)
@pytest.mark.parametrize("password", [None, CONFIGURED])
async def test_nobody_else_gets_a_password(
    database: Database,
    connection: Connection,
    full_name: str | None,
    email: str | None,
    password: str | None,
) -> None:
    """An imported person, say, who has the username of the demo's and no password."""
    await connection.execute(
        "INSERT INTO users (username, full_name, email) VALUES ('admin', $1, $2)", full_name, email
    )
    for _ in range(2):
        seeded = await seed(settings(database, password), NOW)
        assert "admin" not in {*seeded.passwords, *seeded.configured}
    assert [
        row["username"]
        for row in await connection.fetch("SELECT username FROM users WHERE password_hash IS NULL")
    ] == ["admin"]


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
        ("everybody can sign in", "SELECT id FROM users WHERE password_hash IS NULL"),
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

import dataclasses
from typing import Any

import pytest
from piccolo.columns import Boolean, Text, Varchar
from piccolo.constraints import Check
from piccolo.table import Table, create_table_class

from tables import User
from tables.piccolo_app import APP_CONFIG
from tests.conftest import Database
from tests.tables.drift import differences, unmigrated, untouched


async def test_the_tables_are_what_was_migrated(database: Database) -> None:
    assert await unmigrated(APP_CONFIG) == []


async def test_the_database_is_what_the_tables_say(database: Database) -> None:
    owner = await database.connect()
    assert await differences(owner, APP_CONFIG.table_classes) == []
    assert await untouched(owner) == []
    await owner.close()


def _with_users(**members: Any) -> list[type[Table]]:
    """All tables, with `members` added to, or changed in, `users`."""
    changed = create_table_class(
        "User", bases=(User,), class_kwargs={"tablename": "users"}, class_members=members
    )
    return [changed if table is User else table for table in APP_CONFIG.table_classes]


CHANGES = {
    "nickname": _with_users(nickname=Text()),
    "full_name": _with_users(full_name=Text()),
    "username": _with_users(username=Varchar()),
    "is_active": _with_users(is_active=Boolean(default=False)),
    "users_username_check": _with_users(users_username_check=Check("length(username) < 9")),
    "users_name_check": _with_users(users_name_check=Check("full_name <> ''")),
    "email": _with_users(email=Text(null=True, default=None, index=True)),
    "Session": [table for table in APP_CONFIG.table_classes if table.__name__ != "RefreshToken"],
}


@pytest.mark.parametrize("tables", CHANGES.values(), ids=CHANGES.keys())
async def test_a_change_without_a_migration_is_found(
    database: Database, tables: list[type[Table]]
) -> None:
    assert await unmigrated(dataclasses.replace(APP_CONFIG, table_classes=tables)) != []
    owner = await database.connect()
    assert await differences(owner, tables) != []
    await owner.close()


ALTERATIONS = {
    "column": "ADD COLUMN stray int",
    "null": "ALTER content DROP NOT NULL",
    "default": "ALTER content SET DEFAULT 'x'",
    "type": "ALTER sequence TYPE bigint",
    "key": "DROP CONSTRAINT messages_version_key",
    "unchecked": """
        DROP CONSTRAINT messages_author_fkey, ADD CONSTRAINT messages_author_fkey
            FOREIGN KEY (author_id) REFERENCES users ON DELETE SET NULL NOT VALID
    """,
    "table": "RENAME TO letters",
}


@pytest.mark.parametrize("change", ALTERATIONS.values(), ids=ALTERATIONS.keys())
async def test_a_change_of_the_database_alone_is_found(database: Database, change: str) -> None:
    owner = await database.connect()
    await owner.execute(f"ALTER TABLE messages {change}")
    assert await differences(owner, APP_CONFIG.table_classes) != []
    await owner.close()


@pytest.mark.parametrize(
    "change",
    [
        "DROP TRIGGER messages_touch ON messages",
        "ALTER TABLE messages DISABLE TRIGGER messages_touch",
        "CREATE TABLE stray (updated_at timestamptz)",
        "ALTER TABLE users ADD COLUMN nickname text",
    ],
)
async def test_a_table_that_is_not_touched_is_found(database: Database, change: str) -> None:
    owner = await database.connect()
    await owner.execute(change)
    assert len(await untouched(owner)) == 1
    await owner.close()


async def test_updated_at_follows_every_update(database: Database) -> None:
    owner = await database.connect()
    await owner.execute("INSERT INTO tenants (slug, name, updated_at) VALUES ('a', 'A', 'epoch')")
    await owner.execute("UPDATE tenants SET updated_at = 'epoch'")
    assert await owner.fetchval("SELECT now() - updated_at < '1 min' FROM tenants")
    await owner.close()


@pytest.mark.parametrize(
    ("change", "is_seen"),
    {
        "last_login_at = now()": False,
        "password_hash = 'x'": False,
        "email = 'ada@example.com'": True,
        "is_active = false": True,
        "last_login_at = now(), full_name = 'Ada'": True,
    }.items(),
)
async def test_updated_at_keeps_a_sign_in_to_itself(
    database: Database, change: str, is_seen: bool
) -> None:
    owner = await database.connect()
    await owner.execute("INSERT INTO users (username, updated_at) VALUES ('ada', 'epoch')")
    await owner.execute(f"UPDATE users SET {change}")
    assert await owner.fetchval("SELECT updated_at <> 'epoch' FROM users") is is_seen
    await owner.close()

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from core.credentials import AccessTokens
from core.settings import Settings
from ops.database import Connection
from ops.failure import Failure
from ops.seed import seed
from ops.token import TokenRequest, mint
from tests.conftest import Database

HOUR = timedelta(hours=1)


@pytest.fixture
async def settings(database: Database, tmp_path: Path) -> Settings:
    settings = Settings(
        environment="test", owner_database_url=database.url("parley_owner"), data_dir=tmp_path
    )
    await seed(settings)
    return settings


@pytest.fixture
async def connection(database: Database) -> AsyncIterator[Connection]:
    connection = await database.connect()
    yield connection
    await connection.close()


@pytest.mark.parametrize("name", ["user2", "  USER2 ", "User2@Example.com"])
async def test_a_token_with_its_session(
    connection: Connection, settings: Settings, name: str
) -> None:
    token = await mint(settings, TokenRequest(name, "demo", HOUR))
    identity = AccessTokens.of(settings).verify(token).identity
    row = await connection.fetchrow(
        "SELECT s.id, u.id AS user_id, slug, user_agent, expires_at, username FROM sessions s"
        " JOIN users u ON u.id = s.user_id JOIN tenants t ON t.id = s.home_tenant_id"
    )
    assert row is not None
    assert (identity.user_id, identity.session_id) == (row["user_id"], row["id"])
    assert (row["username"], row["slug"]) == ("user2", "demo")
    assert row["user_agent"] == "python -m ops token"
    assert timedelta() <= datetime.now(UTC) + HOUR - row["expires_at"] < timedelta(minutes=1)


@pytest.mark.parametrize(
    "change",
    [
        "SELECT 1",
        "UPDATE memberships SET is_active = false",
        "UPDATE users SET is_active = false",
        "DELETE FROM memberships",
        "UPDATE tenants SET slug = 'another'",
    ],
)
async def test_active_members_only(connection: Connection, settings: Settings, change: str) -> None:
    await connection.execute(change)
    name = "nobody" if change == "SELECT 1" else "admin"
    with pytest.raises(Failure, match=f"'{name}' is no active member of a workspace 'demo'"):
        await mint(settings, TokenRequest(name, "demo", HOUR))
    assert await connection.fetchval("SELECT count(*) FROM sessions") == 0


async def test_never_in_production(settings: Settings) -> None:
    production = settings.model_copy(update={"environment": "production"})
    with pytest.raises(Failure, match="in development only"):
        await mint(production, TokenRequest("admin", "demo", HOUR))


async def test_a_session_may_be_used_again(connection: Connection, settings: Settings) -> None:
    """Restarting the server leaves the old token of a browser valid, and no heap of sessions."""
    tokens = AccessTokens.of(settings)
    request = TokenRequest("admin", "demo", HOUR, "make run", reuse_session=True)
    first = tokens.verify(await mint(settings, request)).identity
    assert tokens.verify(await mint(settings, request)).identity == first
    await connection.execute("UPDATE sessions SET revoked_at = now()")
    assert tokens.verify(await mint(settings, request)).identity.session_id != first.session_id

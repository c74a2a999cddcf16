"""People with a password, and what signing in gives them."""

from typing import Any

from argon2 import PasswordHasher

from tests.graph import Client
from tests.schema.workspace import Workspace

PASSWORD = "correct horse battery"
HASH = PasswordHasher(memory_cost=19 * 1024, time_cost=2, parallelism=1).hash(PASSWORD)
TOKENS = "accessToken refreshToken expiresAt"
WHO = "viewer { user { username } membership { role } }"


async def give_password(acme: Workspace, *names: str, hash: str = HASH) -> None:
    for name in names:
        await acme.cast.connection.execute(
            "UPDATE users SET password_hash = $1 WHERE username = $2", hash, name
        )


async def sign_in(client: Client, username: str, password: str = PASSWORD) -> Any:
    """The payload of one that succeeds."""
    payload = await client.mutate("signIn", f"{TOKENS} {WHO}", username=username, password=password)
    assert payload["errors"] == []
    return payload


def bearing(client: Client, payload: Any, tenant: str | None = None) -> Client:
    """The client, with the access token that it was given."""
    headers = {"Authorization": f"Bearer {payload['accessToken']}"}
    return Client(client.http, headers | ({"X-Tenant": tenant} if tenant else {}))

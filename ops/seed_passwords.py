"""Passwords of the demo workspace's people: the configured one, or one for each."""

import secrets
from dataclasses import dataclass, field
from uuid import UUID

from core.errors import BadInput
from core.passwords import Passwords
from core.settings import Settings
from ops.database import Connection
from ops.failure import Failure

PASSWORD_BYTES = 12

# Whom this run added ($4), or an earlier one that gave no passwords: all that they say is the
# demo's. Somebody who merely has the username must not be given a password that others know.
FIND_LACKING = """
SELECT id FROM users WHERE username = $1 AND password_hash IS NULL
    AND ($4 OR (full_name = $2 AND email = $3)) FOR NO KEY UPDATE
"""
GIVE = """
UPDATE users SET password_hash = $2 WHERE id = $1 AND password_hash IS NULL
"""


async def configured_password(
    settings: Settings, passwords: Passwords, users: list[dict[str, str]]
) -> str | None:
    """Raises Failure when it is too weak."""
    if settings.seed_password is None:
        return None
    password = settings.seed_password.get_secret_value()
    personal = [user[name] for user in users for name in ("username", "full_name", "email")]
    try:
        await passwords.check_strength(password, *personal)
    except BadInput as error:
        raise Failure(f"PARLEY_SEED_PASSWORD: {error.message}") from None
    return password


@dataclass
class SeedPasswords:
    passwords: Passwords
    configured: str | None
    """The password of everybody; None: each gets another one."""

    given: dict[str, str] = field(default_factory=dict)
    """By username, in this run."""

    async def give(self, connection: Connection, user: dict[str, str], *, added: bool) -> None:
        """To whom this run added, or who has none and is the demo's."""
        person = (user["username"], user["full_name"], user["email"])
        id: UUID | None = await connection.fetchval(FIND_LACKING, *person, added)
        if id is None:
            return
        password = self.configured or secrets.token_urlsafe(PASSWORD_BYTES)
        await connection.execute(GIVE, id, await self.passwords.hash(password))
        self.given[user["username"]] = password

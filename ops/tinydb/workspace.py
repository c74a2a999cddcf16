"""The workspace that an import goes into, and the people in it."""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from ops.tinydb.file import CannotImport
from ops.tinydb.run import Connection


@dataclass(frozen=True)
class Workspace:
    id: UUID
    made: bool
    """Now, by this import."""

    members: dict[str, UUID]
    """User ids by username, of those that the file names."""

    owners: frozenset[str]
    """Which of those own it."""

    has_owner: bool


async def enter_workspace(connection: Connection, slug: str, names: Iterable[str]) -> Workspace:
    """Makes it when it is missing. No other import enters it until the transaction ends.

    Raises CannotImport for a slug that no workspace can have.
    """
    await connection.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended('import.tinydb ' || $1, 0))", slug
    )
    tenant_id = await connection.fetchval("SELECT id FROM tenants WHERE slug = $1", slug)
    if tenant_id is None:
        return Workspace(
            await _make(connection, slug),
            made=True,
            members={},
            owners=frozenset(),
            has_owner=False,
        )
    members = await connection.fetch(
        "SELECT u.username, u.id, m.role FROM memberships m JOIN users u ON u.id = m.user_id"
        " WHERE m.tenant_id = $1 AND u.username = ANY($2)",
        tenant_id,
        list(names),
    )
    has_owner = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM memberships"
        " WHERE tenant_id = $1 AND role = 'OWNER' AND is_active)",
        tenant_id,
    )
    return Workspace(
        tenant_id,
        made=False,
        members={member["username"]: member["id"] for member in members},
        owners=frozenset(row["username"] for row in members if row["role"] == "OWNER"),
        has_owner=has_owner,
    )


async def _make(connection: Connection, slug: str) -> UUID:
    name = " ".join(word for word in slug.split("-") if word).title()
    try:
        id: UUID = await connection.fetchval(
            "INSERT INTO tenants (slug, name) VALUES ($1, $2) RETURNING id", slug, name
        )
    except asyncpg.CheckViolationError as error:
        raise CannotImport(
            f"{slug!r} cannot name a workspace: use up to 63 of a-z, 0-9 and inner hyphens"
            " that do not read as a UUID"
        ) from error
    return id

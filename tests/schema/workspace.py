"""A workspace in which every kind of viewer has a name.

ada owns it, root administers it, bob and carl are members, dora was one and has left. All five
are on first-name terms: a person is named by their username.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from schema.node import global_id
from tests.graph import Cast, Client

ROLES = {"ada": "OWNER", "root": "ADMIN", "bob": "MEMBER", "carl": "MEMBER", "dora": "MEMBER"}
MISSING = UUID("01890000-0000-7000-8000-000000000000")


@dataclass(frozen=True)
class Workspace:
    id: UUID
    slug: str
    cast: Cast
    client: Client
    memberships: dict[str, UUID]

    def by(self, name: str, tenant: str | None = None) -> Client:
        """The client, asking as `name` in this workspace, or in another."""
        return self.client.signed_in(self.cast.people[name], tenant or self.slug)

    def user(self, name: str) -> UUID:
        return self.cast.people[name].id

    async def talk(self, *names: str, **values: Any) -> UUID:
        """The first owns it, all take part."""
        return await self.cast.conversation(self.id, *map(self.user, names), **values)

    async def message(self, talk: UUID, name: str | None, **values: Any) -> UUID:
        author = self.user(name) if name else None
        return await self.cast.message(self.id, talk, author, **values)

    async def document(self, name: str | None, **values: Any) -> UUID:
        return await self.cast.document(self.id, self.user(name) if name else None, **values)

    async def cite(self, message: UUID, *documents: UUID) -> None:
        await self.cast.cite(self.id, message, *documents)

    async def delete(self, table: str, id: UUID) -> None:
        """Softly; a message as the application does it, counted."""
        at = self.cast.tick()
        sql = f"UPDATE {table} SET deleted_at = $1 WHERE tenant_id = $2 AND id = $3"
        await self.cast.connection.execute(sql, at, self.id, id)
        if table == "messages":
            await self.cast.connection.execute(
                "UPDATE conversations SET message_count = message_count - 1 WHERE tenant_id = $1"
                " AND id = (SELECT conversation_id FROM messages WHERE tenant_id = $1 AND id = $2)",
                self.id,
                id,
            )


async def open_workspace(cast: Cast, client: Client, slug: str = "acme") -> Workspace:
    tenant = await cast.tenant(slug)
    memberships = {}
    for name, role in ROLES.items():
        person = cast.people.get(name) or await cast.person(name, tenant)
        memberships[name] = await cast.member(tenant, person.id, role)
    await cast.connection.execute(
        "UPDATE memberships SET is_active = false WHERE tenant_id = $1 AND id = $2",
        tenant,
        memberships["dora"],
    )
    return Workspace(tenant, slug, cast, client, memberships)


def gid(node_type: str, id: UUID) -> str:
    return str(global_id(node_type, id))

from collections.abc import Sequence
from uuid import UUID

from core.text import normalised, pattern, storable
from core.viewer import Identity, Viewer
from resolvers.access import ONE_BY_ONE, matches_person
from resolvers.loading import by_key, counts_by_key
from resolvers.lookup import Lookup
from resolvers.order import Key, Order
from resolvers.page_batch import PageBatch
from resolvers.paging import (
    CountRow,
    PageArguments,
    Slice,
    fetch_page,
)
from tables.engine import DB, Row

COLUMNS = """u.id, u.username, u.email, u.full_name, u.is_active, u.is_superuser,
    u.last_login_at, u.created_at, u.updated_at"""
BY_USERNAME = Order("user", (Key("u.username", "username", "text"), Key("u.id", "id", "uuid")))
BY_JOINING = Order(
    "participant",
    (
        Key("p.created_at", "joined_at", "timestamptz"),
        Key("p.id", "participant_id", "uuid"),
    ),
)


class UserRow(Row):
    node_type = "User"
    id: UUID


def _one(columns: str, id: str) -> str:
    return f"""SELECT {columns} FROM tenant_users u
        WHERE u.tenant_id = $1 AND u.id = {id} {ONE_BY_ONE}"""


users_by_id = Lookup(UserRow, COLUMNS, _one)
"""Also people who left: old messages keep their author."""


async def own_users_by_id(identity: Identity, ids: Sequence[UUID]) -> list[UserRow | None]:
    """Oneself, in whatever workspace, or in none; anybody else is missing."""
    rows = await DB.fetch_identity(
        UserRow,
        f"SELECT {COLUMNS} FROM users u WHERE u.id = $1 AND u.id = ANY($2)",
        identity.user_id,
        ids,
    )
    return by_key(rows, ids, "id")


async def user_by_username(viewer: Viewer, username: str) -> UserRow | None:
    rows = await DB.fetch(
        UserRow,
        f"SELECT {COLUMNS} FROM tenant_users u WHERE u.tenant_id = $1 AND u.username = $2",
        viewer.tenant_id,
        normalised(storable(username, "by", "username")),
    )
    return rows[0] if rows else None


async def list_users(
    viewer: Viewer, arguments: PageArguments, search: str | None = None
) -> Slice[UserRow]:
    """The workspace's members, by username."""
    return await fetch_page(
        UserRow,
        COLUMNS,
        f"FROM tenant_users u WHERE u.tenant_id = $1 AND u.membership_is_active"
        f" AND {matches_person(viewer)}",
        BY_USERNAME,
        arguments.page(BY_USERNAME),
        viewer.tenant_id,
        None if search is None else pattern(search, "search"),
    )


participants_by_conversation = PageBatch(
    UserRow,
    f"""SELECT {COLUMNS}, p.created_at AS joined_at, p.id AS participant_id
        FROM participants p CROSS JOIN LATERAL (
            SELECT * FROM tenant_users u WHERE u.tenant_id = $1 AND u.id = p.user_id
            {ONE_BY_ONE}) AS u
        WHERE p.tenant_id = $1 AND p.conversation_id = parent.id""",
    BY_JOINING,
)
"""Of conversations that the viewer is known to see."""


async def participant_counts_by_conversation(viewer: Viewer, ids: Sequence[UUID]) -> list[int]:
    rows = await DB.fetch(
        CountRow,
        "SELECT conversation_id AS id, count(*) AS total FROM participants"
        " WHERE tenant_id = $1 AND conversation_id = ANY($2) GROUP BY conversation_id",
        viewer.tenant_id,
        ids,
    )
    return counts_by_key(rows, ids)

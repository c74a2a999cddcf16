from collections.abc import Sequence
from uuid import UUID

from core.text import normalised, storable
from core.viewer import Identity, Viewer
from resolvers.loading import by_key
from resolvers.paging import Key, Order, Page, PageArguments, Slice, fetch_page, fetch_pages
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


class CountRow(Row):
    id: UUID
    count: int


async def users_by_id(viewer: Viewer, ids: Sequence[UUID]) -> list[UserRow | None]:
    """Also people who left: old messages keep their author."""
    rows = await DB.fetch(
        UserRow,
        f"SELECT {COLUMNS} FROM tenant_users u WHERE u.tenant_id = $1 AND u.id = ANY($2)",
        viewer.tenant_id,
        ids,
    )
    return by_key(rows, ids, "id")


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


def contains(text: str, *field: str) -> str:
    """A pattern for ILIKE that finds `text` as it stands."""
    escaped = storable(text, *field).replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"


def found(viewer: Viewer) -> str:
    """A condition on people `u` for the pattern $2. An e-mail is searched by who may see it:
    else it could be guessed letter by letter."""
    email = " OR u.email ILIKE $2" if viewer.is_admin else ""
    return f"($2::text IS NULL OR u.username ILIKE $2 OR u.full_name ILIKE $2{email})"


async def list_users(
    viewer: Viewer, arguments: PageArguments, search: str | None = None
) -> Slice[UserRow]:
    """The workspace's members, by username."""
    source = (
        f"FROM tenant_users u WHERE u.tenant_id = $1 AND u.membership_is_active AND {found(viewer)}"
    )
    parameters = viewer.tenant_id, None if search is None else contains(search, "search")

    async def count() -> int:
        return (await DB.fetch(CountRow, f"SELECT count(*) {source}", *parameters))[0].count

    page = arguments.page(BY_USERNAME)
    rows = await fetch_page(UserRow, f"SELECT {COLUMNS} {source}", BY_USERNAME, page, *parameters)
    return rows.counted(count)


async def participants_by_conversation(
    viewer: Viewer, keys: Sequence[tuple[UUID, Page]]
) -> list[Slice[UserRow]]:
    sql = f"""SELECT {COLUMNS}, p.created_at AS joined_at, p.id AS participant_id
        FROM participants p JOIN tenant_users u ON u.tenant_id = $1 AND u.id = p.user_id
        WHERE p.tenant_id = $1 AND p.conversation_id = parent.id"""
    return await fetch_pages(UserRow, sql, BY_JOINING, keys, viewer.tenant_id)


async def participant_counts_by_conversation(viewer: Viewer, ids: Sequence[UUID]) -> list[int]:
    rows = await DB.fetch(
        CountRow,
        "SELECT conversation_id AS id, count(*) FROM participants"
        " WHERE tenant_id = $1 AND conversation_id = ANY($2) GROUP BY conversation_id",
        viewer.tenant_id,
        ids,
    )
    return counts(rows, ids)


def counts(rows: Sequence[CountRow], ids: Sequence[UUID]) -> list[int]:
    found = {row.id: row["count"] for row in rows}
    return [found.get(id, 0) for id in ids]

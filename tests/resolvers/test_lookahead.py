"""What comes along with a page is what batches would find."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID, uuid4

import pytest

from core.viewer import TenantRole, Viewer
from resolvers.audit_event import list_audit_events
from resolvers.conversation_list import list_conversations
from resolvers.lookahead import Ahead, Link
from resolvers.lookup import Lookup
from resolvers.message import last_messages_by_conversation
from resolvers.paging import PageArguments, Slice
from resolvers.user import users_by_id
from tables.engine import DB, Row
from tests.conftest import Database
from tests.graph import Cast
from tests.tables.plans import sent

OWNER = Link("Conversation", "owner_id", users_by_id)
LAST = Link("Conversation", "id", last_messages_by_conversation)
AUTHOR = Link("Message", "author_id", users_by_id)
ACTOR = Link("AuditEvent", "actor_id", users_by_id)
ADMIN = TenantRole.ADMIN
JSON = {"kind": "note", "big": 1e300, "text": "ü"}


@pytest.fixture
async def cast(db: Database) -> Cast:
    """Two workspaces with the same people, of whom carl owns nothing and dora is no member."""
    cast = Cast(await db.connect())
    people = [(await cast.person(name)).id for name in ("ada", "bob", "carl", "dora")]
    for slug in ("acme", "globex"):
        tenant = await cast.tenant(slug)
        for user in people[:3]:
            await cast.member(tenant, user)
        ada, bob, carl, _ = people
        for owner, authors in ((ada, [bob, carl]), (bob, [None]), (bob, []), (ada, [ada, bob])):
            talk = await cast.conversation(tenant, owner, *{ada, bob, carl} - {owner})
            for author in authors:
                await cast.message(tenant, talk, author, metadata=JSON, content=slug)
        for actor in (*people, None):
            await cast.audit_event(tenant, "x", actor_id=actor)
    await cast.connection.execute(
        "UPDATE conversations c SET owner_id = NULL FROM participants p"
        " WHERE p.conversation_id = c.id AND c.last_sequence = 1;"
        "UPDATE messages m SET deleted_at = now() FROM conversations c"
        f" WHERE c.id = m.conversation_id AND m.sequence = 2 AND c.owner_id = '{ada}'"
        " AND m.author_id = c.owner_id"
    )
    return cast


async def viewer(cast: Cast, name: str, role: TenantRole = TenantRole.MEMBER) -> Viewer:
    tenant = await cast.connection.fetchval("SELECT id FROM tenants WHERE slug = 'acme'")
    return Viewer(cast.people[name].id, uuid4(), tenant, role)


def columns(row: Any) -> dict[str, Any] | None:
    if row is None:
        return None
    values = dict(row) if isinstance(row, Row) else row._asdict()
    return {"node_type": row.node_type, **values}


async def check(viewer: Viewer, page: Slice[Any], lookup: Lookup[Any], keys: Iterable[Any]) -> None:
    """That it is known of all of these."""
    wanted = sorted(set(keys) - {None})
    known = page.known[lookup]
    assert set(wanted) == set(known) - {None}
    found = await lookup(viewer, wanted)
    assert [columns(known[key]) for key in wanted] == [columns(row) for row in found]


@pytest.mark.parametrize("arguments", [{"first": 9}, {"last": 9}, {"first": 1}])
@pytest.mark.parametrize(("name", "role"), [("bob", TenantRole.MEMBER), ("carl", ADMIN)])
async def test_as_batches_find_it(
    cast: Cast, name: str, role: TenantRole, arguments: dict[str, Any]
) -> None:
    who = await viewer(cast, name, role)
    links = frozenset({OWNER, LAST, AUTHOR, ACTOR})
    async with DB.tenant(who.tenant_id, read_only=True):
        plain = await list_conversations(who, PageArguments(**arguments))
        page = await list_conversations(who, PageArguments(**arguments, ahead=Ahead(links=links)))
        assert [row.id for row in page.nodes] == [row.id for row in plain.nodes]
        assert len(page.nodes) == min(4, next(iter(arguments.values())))
        assert plain.known == {}
        everything = (await list_conversations(who, PageArguments(first=9))).nodes
        found = everything[: arguments.get("first", 9) + 1]  # one more tells whether there are more
        ids = [row.id for row in found]
        last = await last_messages_by_conversation(who, ids)
        authors = [message and message["author_id"] for message in last]
        assert {*authors} - {None}
        await check(who, page, last_messages_by_conversation, ids)
        await check(who, page, users_by_id, [row["owner_id"] for row in found] + authors)


async def test_behind_pgbouncer(cast: Cast, db: Database) -> None:
    """Where no statement is kept."""
    await DB.close()
    await DB.open(db.url("parley_app"), size=1, statement_cache_size=0)
    who = await viewer(cast, "bob")
    for _ in range(2):
        async with DB.tenant(who.tenant_id, read_only=True):
            arguments = PageArguments(first=9, ahead=Ahead(links=frozenset({LAST, AUTHOR})))
            page = await list_conversations(who, arguments)
            last = page.known[last_messages_by_conversation]
            assert sum(message is not None for message in last.values()) == 3
            await check(who, page, last_messages_by_conversation, [row.id for row in page.nodes])


async def test_a_link_is_followed_where_it_starts(cast: Cast) -> None:
    who = await viewer(cast, "ada", ADMIN)
    async with DB.tenant(who.tenant_id, read_only=True):

        async def known(*links: Link) -> Any:
            ahead = Ahead(links=frozenset(links))
            return (await list_conversations(who, PageArguments(first=9, ahead=ahead))).known

        assert await known(AUTHOR, ACTOR) == {}
        assert set(await known(LAST)) == {last_messages_by_conversation}
        owners = (await known(OWNER, AUTHOR))[users_by_id]
        assert set(owners) == {cast.people["ada"].id, cast.people["bob"].id, None}
        events = await list_audit_events(
            who, PageArguments(first=9, ahead=Ahead(links=frozenset({ACTOR, OWNER})))
        )
        await check(who, events, users_by_id, [row["actor_id"] for row in events.nodes])
        assert events.known[users_by_id][cast.people["dora"].id] is None


async def test_a_page_without_rows_leads_nowhere(cast: Cast) -> None:
    who = await viewer(cast, "dora")
    async with DB.tenant(who.tenant_id, read_only=True):
        page = await list_conversations(
            who, PageArguments(first=9, ahead=Ahead(links=frozenset({OWNER, LAST})))
        )
    assert (page.nodes, page.known) == ([], {})


async def test_nothing_of_another_workspace(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor by a statement that was run for it, on a connection of both."""
    statements = sent(monkeypatch)
    who = await viewer(cast, "ada", ADMIN)
    ahead = PageArguments(first=9, ahead=Ahead(links=frozenset({LAST, AUTHOR})))
    globex = await cast.connection.fetchval("SELECT id FROM tenants WHERE slug = 'globex'")
    for tenant, slug in ((who.tenant_id, "acme"), (globex, "globex")):
        there = Viewer(who.user_id, who.session_id, tenant, ADMIN)
        async with DB.tenant(tenant, read_only=True):
            page = await list_conversations(there, ahead)
        messages = page.known[last_messages_by_conversation].values()
        assert {message.content for message in messages if message} == {slug}
        assert {row.tenant_id for row in page.nodes} == {tenant}
    (statement, values), other = statements
    assert other[0] == statement
    async with DB.tenant(globex):
        foreign: UUID = values[0]  # type: ignore[assignment]
        assert await DB.fetch(type(page.nodes[0]), statement, foreign, *values[1:]) == []

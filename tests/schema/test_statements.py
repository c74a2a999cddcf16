"""What reaches PostgreSQL: one statement an edge, however many rows, in one snapshot."""

import asyncio
import re
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import pytest

from tables.connection import Connection
from tables.engine import DB
from tests.conftest import Database
from tests.schema.workspace import Workspace, gid

# The last two are asyncpg's, once a connection: how arrays come and go.
UNCOUNTED = re.compile(r"BEGIN|COMMIT|ROLLBACK|SET LOCAL |.*'jit'|.*typeinfo_tree", re.DOTALL)
LED_TO = re.compile(
    r"(?:ahead_\d AS MATERIALIZED|LEFT JOIN LATERAL) \(.*?FROM (?!unnest)(\w+)", re.DOTALL
)
# What a list of conversations looks up on its way.
ASIDE = re.compile(r"WITH fewest .*?\) (?=SELECT c)|\(SELECT me\.read_count .*?\)", re.DOTALL)


@dataclass
class Statements:
    """Everything that the application sends, by asyncpg's own account, and along with that."""

    sent: list[str] = field(default_factory=list)
    preceding: list[str] = field(default_factory=list)

    def log(self, record: Any) -> None:
        self.sent.append(record.query)

    def log_preceding(self, statements: bytes) -> None:
        self.preceding.append(statements.decode(errors="replace"))

    async def during(self, request: Awaitable[Any]) -> list[str]:
        """What a request read, as "messages" or "count messages", sorted."""
        self.sent.clear()
        self.preceding.clear()
        await request
        await self.settled()
        return sorted(_subject(sql) for sql in self.sent if not UNCOUNTED.match(sql))

    async def settled(self) -> None:
        """A read-only scope ends after the answer has left."""
        while DB._ending:
            await asyncio.wait(DB._ending)
        await asyncio.sleep(0)

    @property
    def transactions(self) -> list[str]:
        """Their roles, sorted."""
        return self._roles("DO $$ BEGIN")

    @property
    def begun(self) -> list[str]:
        """Of those that are to be ended too."""
        return self._roles("BEGIN ISOLATION")

    def _roles(self, text: str) -> list[str]:
        everything = (*self.sent, *self.preceding)
        return sorted(
            sql.split("SET LOCAL ROLE ")[1].split(";")[0] for sql in everything if text in sql
        )


def _subject(sql: str) -> str:
    rows, _, below = sql.partition("SELECT page.*")[0].partition(", page_0 (")
    tables: list[str] = re.findall(r"FROM (?!unnest|fewest)(\w+)", ASIDE.sub("", rows))
    more = LED_TO.findall(rows) + re.findall(r"FROM (?!unnest|page\b)(\w+)", below)
    subject = " ".join([tables[0], *(f"+ {table}" for table in more)])
    return ("count " if "count(*)" in sql else "") + subject


@pytest.fixture
def statements() -> Statements:
    return Statements()


@pytest.fixture
async def db(
    statements: Statements, database: Database, monkeypatch: pytest.MonkeyPatch
) -> Database:
    await DB.open(database.url("parley_app"), size=8)
    pool: Any = DB.running_pool()
    init = pool._init

    async def init_logged(connection: Any) -> None:
        await init(connection)
        connection.add_query_logger(statements.log)

    precede = Connection.precede

    def precede_logged(self: Connection, sent: bytes) -> None:
        statements.log_preceding(sent)
        precede(self, sent)

    monkeypatch.setattr(Connection, "precede", precede_logged)
    pool._init = init_logged
    await pool.expire_connections()  # those from before
    return database


async def _populate(acme: Workspace) -> None:
    """20 conversations of 20 messages of 4 people, each message with 2 of 10 documents;
    4 people in 20 events."""
    documents = [await acme.document("bob") for _ in range(10)]
    for n in range(20):
        actor = acme.user(("ada", "bob", "carl", "dora")[n % 4])
        await acme.cast.audit_event(acme.id, "x", actor_id=actor)
    for n in range(20):
        talk = await acme.talk(("bob", "carl")[n % 2], "ada")
        for m in range(20):
            message = await acme.message(talk, ("ada", "bob", "carl", "dora", None)[m % 5])
            await acme.cite(message, documents[m % 10], documents[(m + 1) % 10])


DEEP = """{ conversations(first: 20) { %s nodes { title %s
    messages(last: 20) { %s nodes { content author { username %s }
        usedDocuments { filename %s } } } } } }"""
CONVERSATION = (
    "owner { username } participants(first: 20) { %s nodes { username } } lastMessage { id }"
)
COUNT = "totalCount"
AHEAD = "conversations + messages + tenant_users + participants + tenant_users"
BARE = ["conversations", "message_documents", "messages", "sessions", "tenant_users"]

CASES = {
    "the deep query": (DEEP % ("", "", "", "", ""), BARE),
    "with counts that conversations know": (
        DEEP % (COUNT, "messageCount unreadCount", COUNT, "", ""),
        [*BARE, "count conversations"],
    ),
    "with owner, participants and last message": (
        DEEP % ("", CONVERSATION % "", "", "", ""),
        [*BARE[1:], AHEAD],
    ),
    "with all counts": (
        DEEP % (COUNT, CONVERSATION % COUNT, COUNT, "", ""),
        [
            *BARE[1:],
            *(AHEAD, "count conversations", "count participants"),
        ],
    ),
    "with what hangs on people and documents": (
        DEEP
        % (
            *("", "", ""),
            "membership { role user { id } tenant { id } } conversations(first: 1) { totalCount }",
            "content owner { id } citedBy(first: 1) { totalCount nodes { conversation { id } } }",
        ),
        [
            *BARE,
            *("memberships", "tenants", "conversations", "count conversations"),
            *("documents", "message_documents", "count message_documents", "conversations"),
        ],
    ),
    "the audit log": (
        "{ auditEvents(first: 20) { totalCount nodes { targetId actor { username } } } }",
        ["audit_events + tenant_users", "count audit_events", "sessions"],
    ),
}


@pytest.mark.parametrize(("query", "expected"), CASES.values(), ids=CASES)
async def test_one_statement_an_edge(
    acme: Workspace, statements: Statements, query: str, expected: list[str]
) -> None:
    await _populate(acme)
    assert await statements.during(acme.by("ada").ask(query)) == sorted(expected)
    assert statements.transactions == ["parley_auth", "parley_tenant"]


async def test_a_page_of_one_object_brings_what_it_leads_to(
    acme: Workspace, statements: Statements
) -> None:
    talks = [await acme.talk("bob", short_id=name) for name in ("x", "y")]
    for talk in talks:
        for name in ("bob", "ada", "dora", None):
            await acme.message(talk, name)
    page = "{ messages(last: 9) { nodes { author { username } conversation { title } } } }"
    x, y = (f'conversation(by: {{shortId: "{name}"}}) {page}' for name in ("x", "y"))
    sent = await statements.during(acme.by("bob").ask(f"{{ {x} }}"))
    assert sent == ["conversations", "conversations", "messages + tenant_users", "sessions"]
    data = await acme.by("bob").ask(f"{{ x: {x} y: {y} }}")
    found = [message["author"] for message in data["y"]["messages"]["nodes"]]
    assert found == [{"username": name} for name in ("bob", "ada", "dora")] + [None]
    assert [message["author"] for message in data["x"]["messages"]["nodes"]] == found


@pytest.mark.parametrize("by_id", [True, False])
async def test_one_object_brings_its_pages(
    acme: Workspace, statements: Statements, by_id: bool
) -> None:
    talk = await acme.talk("bob", short_id="x")
    await acme.message(talk, "bob")
    by = f'id: "{gid("Conversation", talk)}"' if by_id else 'shortId: "x"'
    page = "messages(last: 9) { nodes { author { username } } pageInfo { hasPreviousPage } }"
    query = f"{{ conversation(by: {{{by}}}) {{ owner {{ id }} {page} }} }}"
    sent = await statements.during(acme.by("bob").ask(query))
    assert sent == ["conversations + tenant_users + messages + tenant_users", "sessions"]


async def test_only_what_is_asked_below_a_page_comes_with_it(
    acme: Workspace, statements: Statements
) -> None:
    await acme.message(await acme.talk("bob", short_id="x"), "bob")
    beside = 'conversation(by: {shortId: "x"}) { lastMessage { author { username } } }'
    owners = "nodes { title owner { username } }"
    query = f"{{ conversations(first: 9) {{ {owners} }} {beside} }}"
    sent = await statements.during(acme.by("bob").ask(query))
    one = "conversations + messages + tenant_users"
    assert sent == sorted(["conversations + tenant_users", one, "sessions"])


async def test_edges_without_rows_ask_nothing_further(
    acme: Workspace, statements: Statements
) -> None:
    sent = await statements.during(acme.by("ada").ask(DEEP % ("", CONVERSATION % "", "", "", "")))
    assert sent == [AHEAD, "sessions"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("{ viewer { user { username } } }", ["tenant_users"]),
        (
            "{ viewer { membership { role } memberships { tenant { slug } } } }",
            ["memberships", "memberships", "tenants"],
        ),
        ("{ viewer { sessions { id } } }", ["sessions"]),
        ("{ tenant { name } }", ["tenants"]),
        (
            "{ tenant { members(first: 9) { nodes { user { id } } } } }",
            ["memberships", "tenant_users", "tenants"],
        ),
        ("{ users(first: 9) { nodes { membership { role } } } }", ["memberships", "tenant_users"]),
        ("{ users(first: 9) { totalCount } }", ["count tenant_users", "tenant_users"]),
        ('{ user(by: {username: "bob"}) { id } }', ["tenant_users"]),
        ('{ conversation(by: {shortId: "x"}) { id } }', ["conversations"]),
        ("{ documents(first: 9) { nodes { id } } }", ["documents"]),
        (
            "{ auditEvents(first: 9) { nodes { id actor { id } } } }",
            ["audit_events + tenant_users"],
        ),
        ('{ searchMessages(first: 9, query: "x") { nodes { id } } }', ["search_messages"]),
        (
            '{ searchMessages(first: 9, query: "x") { nodes { author { id } } } }',
            ["search_messages + tenant_users"],
        ),
        ("{ documents(first: 9) { nodes { owner { id } } } }", ["documents + tenant_users"]),
        ('{ node(id: "x") { id } }', []),
    ],
)
async def test_root_fields(
    acme: Workspace, statements: Statements, query: str, expected: list[str]
) -> None:
    sent = await statements.during(acme.by("ada").ask(query))
    assert sent == sorted([*expected, "sessions"])


async def test_who_is_refused_has_nothing_read(acme: Workspace, statements: Statements) -> None:
    event = gid("AuditEvent", await acme.cast.audit_event(acme.id, "x"))
    for query in (
        "{ auditEvents(first: 9) { totalCount } }",
        f'{{ node(id: "{event}") {{ id }} }}',
    ):
        assert await statements.during(acme.by("bob").post(query)) == ["sessions"]


async def test_nodes_are_fetched_by_type(acme: Workspace, statements: Statements) -> None:
    talks = [await acme.talk("bob") for _ in range(5)]
    ids = [gid("Conversation", talk) for talk in talks]
    ids += [gid("User", acme.user(name)) for name in ("ada", "bob", "dora")] + ids
    query = "query ($ids: [ID!]!) { nodes(ids: $ids) { id } a: nodes(ids: $ids) { id } }"
    sent = await statements.during(acme.by("bob").ask(query, ids=ids))
    assert sent == ["conversations", "sessions", "tenant_users"]


@pytest.mark.parametrize("query", ["{ __typename }", "{ __schema { queryType { name } } }"])
async def test_what_reads_nothing_opens_no_transaction_of_a_tenant(
    acme: Workspace, statements: Statements, query: str
) -> None:
    assert await statements.during(acme.by("ada").ask(query)) == ["sessions"]
    assert statements.transactions == ["parley_auth"]
    assert await statements.during(acme.client.ask(query)) == []
    assert statements.transactions == []


LISTED = "conversations(first: 3) { pageInfo { endCursor } nodes { id %s } }"
ONE = "conversation(by: { id: $id }) { title owner { id } messages(last: 3) { nodes { id %s } } }"
TALK = "query ($id: ID!) { %s }"
ALONE = [
    "{ " + LISTED % "title owner { username }" + " }",
    "{ " + LISTED % "cursor lastMessage { author { id } }" + " }",
    "{ __typename " + LISTED % "messages(last: 2) { nodes { content } }" + " }",
    TALK % (ONE % "author { username }"),
    "{ users(first: 3) { nodes { id } edges { cursor node { username } } } }",
]
"""One statement finds all that is asked."""

NOT_ALONE = [
    "{ a: " + LISTED % "title" + " b: " + LISTED % "title" + " }",
    "{ " + LISTED % "participants(first: 3) { totalCount }" + " }",
    "{ " + LISTED % "messages(last: 2) { nodes { metadata } }" + " }",
    "{ " + LISTED % "messages(last: 0) { nodes { id } }" + " }",
    "{ conversations(first: 3) { totalCount nodes { id } } }",
    "{ viewer { user { id } } }",
    TALK % (ONE % "usedDocuments { id }"),
    TALK % (ONE % "conversation { id }"),
]


@pytest.mark.parametrize("query", ALONE + NOT_ALONE)
async def test_a_statement_alone_takes_one_round_trip(
    acme: Workspace, statements: Statements, query: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tables.connection.ALIVE", 60)
    talk = await acme.talk("bob", "ada")
    message = await acme.message(talk, "ada")
    await acme.cite(message, await acme.document("bob"))
    values = {"id": gid("Conversation", talk)} if "$id" in query else {}
    first = await acme.by("ada").post(query, **values)
    begun = []
    for _ in range(12):  # each connection that may be asked has to keep the statement first
        await statements.during(acme.by("ada").post(query, **values))
        assert statements.transactions == ["parley_auth", "parley_tenant"]
        begun.append("parley_tenant" in statements.begun)
    assert (await acme.by("ada").post(query, **values)).content == first.content
    assert all(begun) is (query in NOT_ALONE)


async def test_a_message_that_is_sent_is_not_read_again(
    acme: Workspace, statements: Statements
) -> None:
    talk = await acme.talk("bob")
    given = {"conversationId": gid("Conversation", talk), "content": "hi"}
    select = "message { id content author { id username email } }"
    sent = await statements.during(acme.by("bob").mutate("sendMessage", select, **given))
    assert len(sent) == len(["sessions", "the statement"])
    assert statements.transactions == ["parley_auth", "parley_tenant"]


async def test_pages_that_differ_take_a_statement_each(
    acme: Workspace, statements: Statements
) -> None:
    await acme.talk("bob")
    pages = """nodes { a: messages(first: 1) { nodes { id } }
        b: messages(first: 1) { nodes { id } } c: messages(last: 1) { nodes { id } } }"""
    query = f"{{ conversations(first: 9) {{ {pages} }} }}"
    sent = await statements.during(acme.by("bob").ask(query))
    assert sent == ["conversations + messages + messages", "sessions"]
    query = f"{{ users(first: 9) {{ nodes {{ conversations(first: 9) {{ {pages} }} }} }} }}"
    sent = await statements.during(acme.by("bob").ask(query))
    assert sent == ["conversations", "messages", "messages", "sessions", "tenant_users"]


async def _waits_for(connection: "asyncpg.Connection[asyncpg.Record]", table: str) -> None:
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = $1::regclass"
    while not await connection.fetchval(waiting, table):
        await asyncio.sleep(0.01)


async def test_a_query_reads_one_snapshot(acme: Workspace, db: Database) -> None:
    """In the middle of a query, between its statements, everything changes."""
    talk = await acme.talk("bob", title="before")
    await acme.message(talk, "bob", content="before")
    query = """{ conversations(first: 9) { totalCount nodes { title messageCount
        messages(first: 9) { nodes { content author { username } } } } } }"""
    expected = await acme.by("bob").ask(query)
    async with asyncio.timeout(20), acme.cast.connection.transaction():
        await acme.cast.connection.execute("LOCK TABLE messages IN ACCESS EXCLUSIVE MODE")
        asked = asyncio.create_task(acme.by("bob").ask(query))
        await _waits_for(acme.cast.connection, "messages")
        await acme.message(talk, "bob", content="after")
        await acme.talk("bob", title="after")
        for change in (
            "UPDATE messages SET content = 'after'",
            "UPDATE conversations SET title = 'after'",
            "UPDATE users SET username = username || '-after'",
        ):
            await acme.cast.connection.execute(change)
    assert await asked == expected
    assert "after" in str(await acme.by("bob").ask(query))

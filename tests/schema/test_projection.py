"""What PostgreSQL writes as JSON is what a plan writes of the rows, to the byte."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from graphql import GraphQLObjectType, is_leaf_type
from graphql.type.definition import get_named_type

from resolvers.lookahead import MAX_STATEMENT
from schema.lookahead import MAX_PAGES
from schema.projection import MAX_SIZE
from schema.schema import schema
from tables.engine import DB, Row
from tests.graph import Client, asking
from tests.schema.test_execution import COMPILED, STOCK
from tests.schema.workspace import Workspace
from tests.tables.plans import sent

NASTY = (
    'quotes " \\ \\u0041 / and </script>',
    "".join(map(chr, range(1, 32))),
    "\x7f\x80\x9f\u2028\u2029\ufeff\ufffe\U0001f680\U0010ffff",
    "%s {} {0} $1 ' ''",
    " ",
)
MOMENTS = [
    datetime(1, 1, 2, tzinfo=UTC),
    datetime(1883, 11, 18, 12, 3, 58, 1, tzinfo=UTC),
    datetime(2026, 1, 1, 0, 0, 0, 100_000, tzinfo=UTC),
    datetime(2026, 10, 25, 0, 59, 59, 999_999, tzinfo=UTC),
    datetime(9999, 12, 31, 23, 59, 59, 0, tzinfo=UTC),
]


@pytest.fixture
async def nasty(acme: Workspace) -> Workspace:
    connection = acme.cast.connection
    talk = await acme.talk("bob", "ada", title=NASTY[0])
    for text, moment in zip(NASTY, MOMENTS, strict=True):
        await acme.message(talk, "bob", content=text, created_at=moment, token_count=2**31 - 1)
        await acme.message(talk, None, content=text, edited_at=moment)
        await acme.talk("bob", "carl", title=text, last_message_at=moment)
        await acme.document("bob", filename=text, content_type=text)
        await acme.cast.audit_event(acme.id, text, actor_id=acme.user("bob"), request_id=text)
    await acme.cast.audit_event(acme.id, "x", ip_address="2001:db8::1")
    await acme.delete("messages", await acme.message(talk, "carl", metadata={"a": 1}))
    await connection.execute("UPDATE users SET full_name = $1 WHERE username = 'bob'", NASTY[0])
    return acme


def leaves(type_name: str, *, but: tuple[str, ...] = ()) -> str:
    """All that a type has by itself."""
    type = schema._schema.type_map[type_name]
    assert isinstance(type, GraphQLObjectType)
    names = [
        name for name, field in type.fields.items() if is_leaf_type(get_named_type(field.type))
    ]
    return " ".join(["__typename", *(name for name in names if name not in but)])


USER = leaves("User", but=("email", "lastLoginAt"))
MESSAGE = leaves("Message", but=("metadata",))
DOCUMENT = leaves("Document", but=("metadata", "tags", "content"))
EVENT = leaves("AuditEvent", but=("details", "targetId"))
CONVERSATION = leaves("Conversation", but=("cursor",))
LAST = f"lastMessage {{ {MESSAGE} author {{ {USER} }} }}"
LISTED = f"{CONVERSATION} owner {{ {USER} }} {LAST}"
ASKED = {
    "conversations": f"""{{ conversations(first: 20) {{
        pageInfo {{ endCursor hasNextPage }} nodes {{ {LISTED} }} }} }}""",
    "edges": "{ conversations(last: 2) { edges { cursor node { a: id b: id title } } } }",
    "one person twice": """{ conversations(first: 9) {
        nodes { a: owner { id } b: owner { username } } } }""",
    "users": f"{{ users(first: 9) {{ nodes {{ {USER} }} }} }}",
    "documents": f"{{ documents(last: 9) {{ nodes {{ {DOCUMENT} owner {{ {USER} }} }} }} }}",
    "auditEvents": f"{{ auditEvents(first: 9) {{ nodes {{ {EVENT} actor {{ {USER} }} }} }} }}",
    "nothing": "{ users(first: 9) { nodes { id @skip(if: true) } } }",
    "no rows": '{ users(first: 9, search: "nobody") { nodes { id } pageInfo { endCursor } } }',
}


JOINED = {"conversations": 3, "documents": 1, "auditEvents": 1, "one person twice": 1}


async def answers(client: Client, document: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The statements of a plan, which answers as graphql-core does."""
    async with asking(COMPILED) as ours, asking(STOCK) as theirs:
        expected = await Client(theirs.http, client.headers).post(document)
        statements = sent(monkeypatch)
        answer = await Client(ours.http, client.headers).post(document)
    assert answer.content == expected.content
    assert b'"errors"' not in answer.content
    return [sql for sql, _ in statements if "sessions" not in sql]


@pytest.mark.parametrize("name", ASKED)
async def test_all_that_columns_have(
    nasty: Workspace, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (statement,) = await answers(nasty.by("ada"), ASKED[name], monkeypatch)
    assert "AS json" in statement
    assert statement.count("LEFT JOIN LATERAL") == JOINED.get(name, 0)


async def test_a_page_below_a_resolver(nasty: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    page = f"members(last: 3) {{ nodes {{ {leaves('Membership')} }} pageInfo {{ startCursor }} }}"
    _, statement = await answers(nasty.by("ada"), f"{{ tenant {{ {page} }} }}", monkeypatch)
    assert "AS json" in statement


async def test_pages_below_rows(nasty: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    page = f"nodes {{ {MESSAGE} author {{ {USER} }} }} pageInfo {{ startCursor hasPreviousPage }}"
    people = f"participants(first: 1) {{ edges {{ cursor node {{ {USER} }} }} totalCount }}"
    document = f"""{{ conversations(first: 20) {{ nodes {{ metadata: cursor {people}
        messages(last: 3) {{ totalCount {page} }}
        all: messages(first: 20, includeDeleted: true) {{ {page} }} }} }} }}"""
    found = await answers(nasty.by("ada"), document, monkeypatch)
    assert sum("AS json" in statement for statement in found) == 1
    assert not any("unnest($" in statement for statement in found if "count(*)" not in statement)


async def test_many_pages_below_rows(nasty: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of which the statement has as many as PostgreSQL is to keep a plan of."""
    pages = " ".join(
        f"m{n}: messages(first: {n}) {{ nodes {{ id }} }}" for n in range(1, MAX_PAGES + 3)
    )
    document = f"{{ conversations(first: 20) {{ nodes {{ {pages} }} }} }}"
    first, *others = await answers(nasty.by("ada"), document, monkeypatch)
    assert first.count("array_agg(page.place)") == MAX_PAGES
    assert len(others) == 2


FOUND = "score snippet cursor node { id author { username } }"


@pytest.mark.parametrize(
    "document",
    [
        "{ conversations(first: 20) { nodes { id } edges { node { title } } } }",
        f'{{ searchMessages(first: 9, query: "quotes") {{ edges {{ {FOUND} }} }} }}',
    ],
)
async def test_rows_that_are_asked_for_more_than_once(
    nasty: Workspace, document: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (statement,) = await answers(nasty.by("ada"), document, monkeypatch)
    assert "AS json" not in statement


@pytest.mark.parametrize(
    "more",
    [
        "lastMessage { metadata }",
        " ".join(f"a{n}: id" for n in range(MAX_SIZE)),
        "a: title b: title",
        "a: owner { username } b: owner { username }",
    ],
)
async def test_rows_where_columns_have_too_little(
    nasty: Workspace, more: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = f"{{ conversations(first: 20) {{ nodes {{ id {more} }} }} }}"
    statement, *_ = await answers(nasty.by("ada"), document, monkeypatch)
    assert "AS json" not in statement


async def test_pages_that_two_fields_share(
    nasty: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What comes with one is known to the other, which has some of its own besides."""
    first, other = ("messages(first: 1) { nodes { id } }", "messages(first: 2) { nodes { id } }")
    document = f"""{{ x: conversations(first: 2) {{ nodes {{ cursor a: {first} }} }}
        y: conversations(first: 2, orderBy: CREATED_AT_ASC) {{
            nodes {{ cursor b: {other} a: {first} }} }}
        z: users(first: 9) {{ nodes {{ conversations(first: 9) {{
            nodes {{ cursor {first} }} }} }} }} }}"""
    statements = await answers(nasty.by("ada"), document, monkeypatch)
    assert sum("AS json" in statement for statement in statements) == 3


async def test_variables_and_fragments(nasty: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    document = f"""query ($first: Int = 3, $with: Boolean = true, $without: Boolean = false) {{
        conversations(first: $first) {{ nodes {{ ...Listed ...Listed id
            messages(last: $first) {{ nodes {{ ...Said id @include(if: $without) }} }} }} }} }}
        fragment Listed on Conversation {{ title @skip(if: $without) owner @include(if: $with) {{
            username ... on User {{ id username }} }} }}
        fragment Said on Message {{ content ... {{ author {{ {USER} }} }} }}"""
    (statement,) = await answers(nasty.by("ada"), document, monkeypatch)
    assert "AS json" in statement


async def test_what_would_be_planned_each_time_stays_rows(
    nasty: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """asyncpg keeps no statement that is longer."""
    times = " ".join(f"t{n}: createdAt" for n in range(MAX_SIZE // 2))
    pages = " ".join(f"p{n}: messages(first: {n}) {{ nodes {{ {times} }} }}" for n in (1, 2, 3))
    document = f"{{ conversations(first: 3) {{ nodes {{ cursor {pages} }} }} }}"
    statements = await answers(nasty.by("ada"), document, monkeypatch)
    assert len(statements) == 4
    assert all(len(statement) < MAX_STATEMENT for statement in statements)


async def test_pages_below_rows_are_looked_at_once(
    nasty: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Large ones are kept on disk while the statement runs."""
    page = "messages(first: 9) { nodes { id } }"
    document = f"{{ conversations(first: 20) {{ nodes {{ cursor {page} }} }} }}"
    async with asking(COMPILED) as app:
        statements = sent(monkeypatch)
        await Client(app.http, nasty.by("ada").headers).post(document)
        ((statement, values),) = [one for one in statements if "sessions" not in one[0]]
    async with DB.tenant(nasty.id, read_only=True):
        found = await DB.fetch(Row, f"EXPLAIN (ANALYZE, BUFFERS OFF) {statement}", *values)
    lines = [line["QUERY PLAN"] for line in found]
    (scan,) = [line for line in lines if "CTE Scan on page_0" in line]
    assert "loops=1)" in scan


async def test_a_null_where_none_may_be(nasty: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """As graphql-core: the field fails, rather than the answer."""
    connection = nasty.cast.connection
    await connection.execute("ALTER TABLE conversations ALTER title DROP NOT NULL")
    await connection.execute("UPDATE conversations SET title = NULL")
    document = "{ conversations(first: 20) { nodes { title } } me: viewer { user { id } } }"
    async with asking(COMPILED) as app:
        answer = (await Client(app.http, nasty.by("ada").headers).post(document)).json()
    assert answer["data"] is None
    assert answer["errors"][0]["path"] == ["conversations"]


def test_no_class_of_rows_makes_something_else_of_a_column() -> None:
    """PostgreSQL would write the column."""

    def all_of(cls: type[Row]) -> Iterator[type[Row]]:
        for subclass in cls.__subclasses__():
            yield subclass
            yield from all_of(subclass)

    checked = 0
    for row in all_of(Row):
        node = schema._schema.type_map.get(row.node_type)
        if isinstance(node, GraphQLObjectType):
            made = {name for cls in row.__mro__ for name in vars(cls) if cls is not Row}
            columns = {field.name for field in node.extensions["strawberry-definition"].fields}
            assert not made & columns, row
            checked += 1
    assert checked > 7

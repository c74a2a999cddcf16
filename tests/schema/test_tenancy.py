"""What people of one workspace try, to see something of another that holds the same data."""

from collections.abc import AsyncIterator, Iterator
from itertools import cycle
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
import pytest_asyncio
from graphql import GraphQLEnumType, get_introspection_query

from tests.graph import Client
from tests.schema.attacks import Slot, everything, slots
from tests.schema.twins import SECRET, TABLES, Twins
from tests.schema.workspace import gid

pytestmark = pytest.mark.asyncio(loop_scope="module")

SLOTS = {slot.name: slot for slot in slots()}
ATTACKERS = ["globex.member", "globex.owner", "eve"]
OF_ADMINS = {"auditEvents"}
TIMES = [f"{day}T00:00:00Z" for day in ("0001-01-01", "2026-01-01", "2026-01-03", "9999-12-31")]
OTHERS: dict[str, list[Any]] = {
    "Boolean": [True, False],
    "DateTime": TIMES,
    "JSON": [{"of": SECRET}, {}, {"of": "globex"}, {"of": {}}, {"": None}, [], "of", 1],
}
PAGED = [
    "conversations(first: 9, filter: {includeDeleted: true}) %s",
    "conversations(first: 9, orderBy: CREATED_AT_DESC) %s",
    "conversations(first: 9, orderBy: CREATED_AT_ASC) %s",
    "conversations(first: 9, orderBy: TITLE_ASC) %s",
    "documents(first: 9, filter: {includeDeleted: true}) %s",
    "users(first: 9) %s",
    "auditEvents(first: 9) %s",
    'searchMessages(first: 9, query: "says") %s',
    "tenant { members(first: 9) %s }",
    "conversations(first: 9) { nodes { messages(first: 9, includeDeleted: true) %s } }",
    "conversations(first: 9) { nodes { participants(first: 9) %s } }",
    "documents(first: 9) { nodes { citedBy(first: 9) %s } }",
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cursors(twins: Twins) -> list[str]:
    """The first and the last that acme's admin gets of each kind."""
    found: list[str] = []
    for path in PAGED:
        answer = await twins.by(f"{SECRET}.admin", "acme").ask(
            f"{{ {path % '{ edges { cursor } }'} }}"
        )
        all = _cursors(answer)
        found += {all[0], all[-1]}
    return found


def _cursors(answer: Any) -> list[str]:
    if isinstance(answer, dict):
        own = [answer["cursor"]] if "cursor" in answer else []
        return own + [cursor for value in answer.values() for cursor in _cursors(value)]
    if isinstance(answer, list):
        return [cursor for item in answer for cursor in _cursors(item)]
    return []


def _values(slot: Slot, twins: Twins, cursors: list[str]) -> list[Any]:
    """What to try there."""
    if slot.is_cursor:
        return cursors
    if isinstance(slot.type, GraphQLEnumType):
        return list(slot.type.values)
    match slot.type.name:
        case "ID":
            foreign = twins.acme.some()
            return [gid(kind, id) for kind, id in foreign] + [str(foreign[0][1])]
        case "String":
            names = [f"{SECRET}.owner", f"{SECRET}.owner@example.com", f"{SECRET}-talk", SECRET]
            words = ["plans", "plan", "eve", "text/markdown", "document.added"]
            return [*names, *words, "", "@", "' OR true --", "$1"]
        case name if name in OTHERS:
            return OTHERS[name]
    raise AssertionError(f"teach how to attack {slot.name}, a {slot.type}")


def _attackers(slot: Slot) -> Iterator[str]:
    """Who is not refused before it was tried."""
    return cycle(ATTACKERS[1:] if slot.field in OF_ADMINS else ATTACKERS)


async def _answer(client: Client, slot: Slot, value: Any) -> httpx.Response:
    query, variables = slot.attack(value)
    return await client.post(query, **variables)


@pytest.mark.parametrize("name", SLOTS)
async def test_no_argument_reaches_the_other(twins: Twins, cursors: list[str], name: str) -> None:
    slot = SLOTS[name]
    values = _values(slot, twins, cursors)
    for attacker, value in zip(_attackers(slot), values, strict=False):
        answer = await _answer(twins.by(attacker, "globex"), slot, value)
        assert not twins.leaks(answer), (attacker, value, answer.text)
        for error in answer.json().get("errors", []):
            assert error["extensions"]["code"] == "BAD_INPUT", answer.text
            assert "May return" not in error["message"], "refused before it was tried"
    at_home = [await _answer(twins.by(f"{SECRET}.owner", "acme"), slot, value) for value in values]
    assert any(map(twins.leaks, at_home))


def _missing(value: object) -> object:
    """Of the same form, but nowhere."""
    if isinstance(value, UUID):
        return uuid4()
    return "".join(chr(ord(c) ^ 1) if c.isalpha() else c for c in str(value))


@pytest.mark.parametrize("name", [name for name, slot in SLOTS.items() if not slot.is_cursor])
async def test_foreign_and_missing_are_one_answer(twins: Twins, name: str) -> None:
    """The whole of it: status, headers and bytes, so counts and errors too."""
    slot = SLOTS[name]
    pairs: list[tuple[Any, Any]] = []
    if slot.type.name == "ID":
        foreign = twins.acme.some()
        pairs = [(gid(kind, id), gid(kind, uuid4())) for kind, id in foreign]
    elif slot.type.name == "String":
        texts = [
            f"{SECRET}.owner",
            f"{SECRET}-talk",
            f"Only {SECRET}",
            f"{SECRET}.owner@example.com",
        ]
        pairs = [(text, str(_missing(text))) for text in texts]
    elif slot.type.name == "JSON":
        pairs = [({"of": SECRET}, {"of": str(_missing(SECRET))})]
    for attacker, (foreign_value, missing_value) in zip(_attackers(slot), pairs, strict=False):
        client = twins.by(attacker, "globex")
        client = Client(client.http, dict(client.headers) | {"X-Request-Id": "same"})
        foreign_answer = await _answer(client, slot, foreign_value)
        missing_answer = await _answer(client, slot, missing_value)
        assert _whole(foreign_answer) == _whole(missing_answer), foreign_value


def _whole(answer: httpx.Response) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    return answer.status_code, answer.headers.raw, answer.content


@pytest.mark.parametrize("field", ["viewer", "tenant"])
async def test_what_takes_no_argument(twins: Twins, field: str) -> None:
    for attacker in ATTACKERS[:2]:
        answer = await twins.by(attacker, "globex").post(everything(field))
        assert "errors" not in answer.json()
        assert not twins.leaks(answer)
    assert twins.leaks(await twins.by(f"{SECRET}.member", "acme").post(everything(field)))


async def test_of_both_one_sees_the_other_by_name_only(twins: Twins) -> None:
    """eve may switch to acme, so globex' answer names it, and her own membership in it."""
    answer = await twins.by("eve", "globex").post(everything("viewer"))
    (mine,) = [
        id for id in twins.acme.ids["Membership"] if f'"{gid("Membership", id)}"' in answer.text
    ]
    assert twins.leaks(answer) == {
        text for id in (twins.acme.id, mine) for text in (str(id), id.hex)
    } & twins.leaks(answer)


async def test_a_role_counts_where_it_was_given(twins: Twins) -> None:
    """eve administers globex and is a member of acme."""
    query = "{ tenant { settings } users(first: 9) { nodes { username email } } }"
    at_globex = await twins.by("eve", "globex").ask(query)
    assert at_globex["tenant"]["settings"] == {"of": "globex"}
    assert all(user["email"] for user in at_globex["users"]["nodes"])
    at_acme = await twins.by("eve", "acme").ask(query)
    assert at_acme["tenant"]["settings"] == {}
    assert [u["username"] for u in at_acme["users"]["nodes"] if u["email"]] == ["eve"]


async def test_own_and_foreign_in_one_query(twins: Twins) -> None:
    foreign, own = [
        [gid(kind, id) for kind, id in twin.some()] for twin in (twins.acme, twins.globex)
    ]
    for attacker in ATTACKERS:
        client = twins.by(attacker, "globex")
        aliases = " ".join(f'n{n}: node(id: "{id}") {{ id }}' for n, id in enumerate(foreign + own))
        alone = " ".join(
            f'n{n}: node(id: "{id}") {{ id }}' for n, id in enumerate(own, len(foreign))
        )
        mixed, expected = await client.ask(f"{{ {aliases} }}"), await client.ask(f"{{ {alone} }}")
        assert mixed == {f"n{n}": None for n in range(len(foreign))} | expected
        assert any(expected.values())
        nodes = "query ($ids: [ID!]!) { nodes(ids: $ids) { id } }"
        together = (await client.ask(nodes, ids=foreign + own))["nodes"]
        assert together == [None] * len(foreign) + list(expected.values())


async def test_the_same_short_id_is_ones_own(twins: Twins) -> None:
    query = (
        '{ conversation(by: {shortId: "plans"}) { id messages(first: 1) { nodes { content } } } }'
    )
    for attacker in ATTACKERS:
        found = (await twins.by(attacker, "globex").ask(query))["conversation"]
        assert found["messages"]["nodes"] == [{"content": "globex says 0"}]
    for mine in (f"{SECRET}.member", "eve"):
        found = (await twins.by(mine, "acme").ask(query))["conversation"]
        assert found["messages"]["nodes"] == [{"content": f"{SECRET} says 0"}]


async def test_totals_are_those_of_one_workspace(twins: Twins) -> None:
    query = """{ users(first: 1) { totalCount } conversations(first: 1) { totalCount }
        documents(last: 1) { totalCount nodes { citedBy(first: 1) { totalCount } } }
        tenant { members(first: 1) { totalCount } } }"""
    expected = {
        "users": {"totalCount": 5},
        "conversations": {"totalCount": 2},
        "documents": {"totalCount": 2, "nodes": [{"citedBy": {"totalCount": 6}}]},
        "tenant": {"members": {"totalCount": 5}},
    }
    for person, slug in (("eve", "globex"), ("eve", "acme"), ("globex.member", "globex")):
        assert await twins.by(person, slug).ask(query) == expected


async def test_introspection_tells_everyone_the_same(twins: Twins) -> None:
    clients = [twins.client, *(twins.by(name, "globex") for name in ATTACKERS)]
    answers = {(await client.post(get_introspection_query())).content for client in clients}
    assert len(answers) == 1


@pytest_asyncio.fixture(loop_scope="module")
async def policies_off(twins: Twins) -> AsyncIterator[None]:
    for change in ("DISABLE", "ENABLE"):
        for table in (*TABLES, "tenants"):
            await twins.cast.connection.execute(f"ALTER TABLE {table} {change} ROW LEVEL SECURITY")
        if change == "DISABLE":
            yield


@pytest.mark.usefixtures("policies_off")
async def test_statements_alone_keep_them_apart(twins: Twins) -> None:
    """Row-level security is the fence; this is the one in front of it."""
    client = twins.by("eve", "globex")
    for slot in SLOTS.values():
        for value in _values(slot, twins, [])[:10]:
            answer = await _answer(client, slot, value)
            assert not twins.leaks(answer), (slot.name, value, answer.text)
    assert "errors" not in (await client.post(everything("tenant"))).json()

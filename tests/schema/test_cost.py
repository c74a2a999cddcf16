import time

import pytest
from graphql import (
    GraphQLList,
    GraphQLObjectType,
    get_named_type,
    get_nullable_type,
    is_leaf_type,
)

from schema.cost import LISTS
from schema.schema import schema
from tests.graph import Cast, Client, Person


@pytest.fixture
async def asked(cast: Cast, client: Client) -> Client:
    acme = await cast.tenant("acme")
    ada: Person = await cast.person("ada", acme)
    await cast.member(acme, ada.id, "OWNER")
    return client.signed_in(ada)


DEEP = "{ conversations(first: %d) { nodes { messages(first: %d) { nodes { id content } } } } }"


async def test_pages_multiply(asked: Client) -> None:
    assert await asked.codes(DEEP % (20, 20)) == []
    assert await asked.codes(DEEP % (100, 100)) == []
    nested = "{ conversations(first: 100) { nodes { participants(first: 100) { nodes {"
    assert await asked.codes(nested + "conversations(first: 10) { nodes { id } } } } } } }") == [
        "BAD_INPUT"
    ]


async def test_variables_and_their_defaults_count(asked: Client) -> None:
    query = (
        "query ($n: Int! = 100) { users(first: $n) { nodes { conversations(first: $n)"
        " { nodes { messages(first: $n) { nodes { id } } } } } } }"
    )
    assert await asked.codes(query) == ["BAD_INPUT"]
    assert await asked.codes(query, n=5) == []


async def test_what_one_may_ask_for_another_may_not_with_other_sizes(asked: Client) -> None:
    query = "query ($f: Int, $l: Int) { users(first: 100) { nodes { conversations(first: 100)"
    query += " { nodes { messages(first: $f, last: $l) { nodes { id } } } } } } }"
    for _ in range(2):
        assert await asked.codes(query, f=1) == []
        assert await asked.codes(query, f=100) == ["BAD_INPUT"]
        assert await asked.codes(query, f=1, l=100) != ["BAD_INPUT"]
        assert await asked.codes(query, f=None, l=100) == ["BAD_INPUT"]
        assert await asked.codes(query, l=100) == ["BAD_INPUT"]
        assert await asked.codes(query, f=None, l=1) == []
    ids = "query ($ids: [ID!]!) { nodes(ids: $ids) { ... on User { conversations(first: 100)"
    ids += " { nodes { messages(first: 20) { nodes { id } } } } } } }"
    assert await asked.codes(ids, ids=["x"]) == []
    assert await asked.codes(ids, ids=["x"] * 100) == ["BAD_INPUT"]
    assert await asked.codes(ids, ids=["y"]) == []


async def test_each_operation_of_a_document_has_its_own_cost(asked: Client) -> None:
    cheap = "query A($n: Int!) { users(first: $n) { nodes { id } } }"
    dear = "query B($n: Int!) { users(first: $n) { nodes { conversations(first: $n) { nodes {"
    dear += " participants(first: $n) { nodes { id } } } } } } }"
    body = {"query": f"{cheap} {dear}", "variables": {"n": 100}}
    for name, refused in [("A", False), ("B", True), ("A", False), ("B", True)]:
        answer = await asked.http.post(
            "/graphql", json=body | {"operationName": name}, headers=asked.headers
        )
        assert ("errors" in answer.json()) is refused


@pytest.mark.parametrize("n", [100, 100.0, 1e300])
async def test_whatever_is_an_int_counts(asked: Client, n: float) -> None:
    query = "id"
    for field in ("participants(first: $n)", "conversations(last: $n)") * 8:
        query = f"{field} {{ nodes {{ {query} }} }}"
    query = f"query ($n: Int!) {{ users(first: $n) {{ nodes {{ {query} }} }} }}"
    (error,) = (await asked.post(query, n=n)).json()["errors"]
    assert error["extensions"]["code"] == "BAD_INPUT"
    assert error["message"].startswith("May return")


async def test_ids_count(asked: Client) -> None:
    query = "query ($ids: [ID!]!) { nodes(ids: $ids) { ... on User { conversations(first: 100)"
    query += " { nodes { messages(first: 20) { nodes { id } } } } } } }"
    assert await asked.codes(query, ids=["x"] * 100) == ["BAD_INPUT"]
    assert await asked.codes(query, ids=["x"]) == []


async def test_nested_fragments_are_linear(asked: Client) -> None:
    fragments = "".join(f"fragment F{n} on User {{ ...F{n + 1} ...F{n + 1} }} " for n in range(60))
    query = (
        f"{{ users(first: 1) {{ nodes {{ ...F0 }} }} }} {fragments} fragment F60 on User {{ id }}"
    )
    start = time.perf_counter()
    assert await asked.codes(query) == ["BAD_INPUT"]
    assert time.perf_counter() - start < 5  # by expansion: 2**60 steps


async def test_depth(asked: Client) -> None:
    def nested(levels: int) -> str:
        inside = "{ conversation { lastMessage " * levels + "{ id }" + " } }" * levels
        return "{ conversations(first: 1) { nodes { lastMessage " + inside + " } } }"

    assert await asked.codes(nested(3)) == []
    assert await asked.codes(nested(15)) == ["BAD_INPUT"]


def test_every_list_is_a_connection_or_has_a_bound() -> None:
    for graphql_type in schema._schema.type_map.values():
        if isinstance(graphql_type, GraphQLObjectType) and not graphql_type.name.startswith("__"):
            for name, field in graphql_type.fields.items():
                if not isinstance(get_nullable_type(field.type), GraphQLList):
                    continue
                of_objects = not is_leaf_type(get_named_type(field.type))
                # Of a payload: errors, one for each field of its input at the most.
                is_page = graphql_type.name.endswith(("Connection", "Payload"))
                assert not of_objects or is_page or name in LISTS or name == "nodes", name


async def test_lists_multiply(asked: Client) -> None:
    cited = "nodes { usedDocuments { citedBy(first: 100) { nodes { id %s } } } }"
    query = "{ conversations(first: 1) { nodes { messages(first: 5) { %s } } } }"
    assert await asked.codes(query % (cited % "")) == []
    assert await asked.codes(query % (cited % "usedDocuments { id }")) == ["BAD_INPUT"]


@pytest.mark.parametrize(
    "document",
    [
        "{ viewer " * 400 + "}" * 400,
        "{" + " a: __typename" * 900 + "}",
        "query { " + "".join(f"a{n}: viewer {{ user {{ id }} }} " for n in range(200)) + "}",
        "[" * 500,
        "{ node(id: " + "[" * 600 + "]" * 600 + ") { id } }",
        "{ conversations(first: 100) { nodes { "
        + "".join(f"a{n}: messages(first: {n + 1}) {{ totalCount }} " for n in range(99))
        + "} } }",
    ],
    ids=["nested", "repeated", "aliases", "brackets", "list", "pages"],
)
async def test_hostile_documents_are_refused_or_answered_soon(asked: Client, document: str) -> None:
    start = time.perf_counter()
    response = await asked.post(document)
    assert time.perf_counter() - start < 5
    codes = {error["extensions"]["code"] for error in response.json().get("errors", [])}
    assert "INTERNAL" not in codes

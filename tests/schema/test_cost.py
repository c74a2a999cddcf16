import time

import pytest

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
    assert await asked.codes(query, n=100) == ["BAD_INPUT"]
    assert await asked.codes(query, n=5) == []


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
    await asked.post(query)
    assert time.perf_counter() - start < 5  # by expansion: 2**60 steps


async def test_depth(asked: Client) -> None:
    def nested(levels: int) -> str:
        inside = "{ conversation { lastMessage " * levels + "{ id }" + " } }" * levels
        return "{ conversations(first: 1) { nodes { lastMessage " + inside + " } } }"

    assert await asked.codes(nested(3)) == []
    assert await asked.codes(nested(15)) == ["BAD_INPUT"]


@pytest.mark.parametrize(
    "document",
    [
        "{ viewer " * 400 + "}" * 400,
        "{" + " a: __typename" * 900 + "}",
        "query { " + "".join(f"a{n}: viewer {{ user {{ id }} }} " for n in range(200)) + "}",
        "[" * 500,
        "{ node(id: " + "[" * 600 + "]" * 600 + ") { id } }",
    ],
    ids=["nested", "repeated", "aliases", "brackets", "list"],
)
async def test_hostile_documents_are_refused_or_answered_soon(asked: Client, document: str) -> None:
    start = time.perf_counter()
    response = await asked.post(document)
    assert time.perf_counter() - start < 10
    codes = {error["extensions"]["code"] for error in response.json().get("errors", [])}
    assert "INTERNAL" not in codes

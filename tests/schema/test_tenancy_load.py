"""Two workspaces at once, on one pool that is smaller than their requests are many."""

import asyncio
import random

import pytest

from tests.graph import Client
from tests.schema.twins import SECRET, Twins
from tests.schema.workspace import gid

pytestmark = pytest.mark.asyncio(loop_scope="module")

REQUESTS, AT_ONCE = 600, 50
QUERIES = [
    "{ tenant { id name settings } viewer { user { id } membership { id } } }",
    "{ users(first: 9) { totalCount nodes { id username email } } }",
    "{ conversations(first: 2) { totalCount nodes { id owner { id } lastMessage { content } } } }",
    """{ conversation(by: {shortId: "plans"}) { id messages(last: 2) { nodes { content } } } }""",
    "{ documents(last: 1) { nodes { id content citedBy(first: 2) { nodes { content } } } } }",
    "query ($ids: [ID!]!) { nodes(ids: $ids) { id } }",
]


async def test_interleaved_requests_see_their_own(twins: Twins) -> None:
    """Every answer is the one that the same request got when it was alone."""
    clients = {
        (person, slug): twins.by(person, slug)
        for person, slug in (
            (f"{SECRET}.owner", "acme"),
            (f"{SECRET}.member", "acme"),
            ("globex.owner", "globex"),
            ("globex.member", "globex"),
            ("eve", "acme"),
            ("eve", "globex"),
            ("globex.member", "acme"),
        )
    }
    ids = [gid(kind, id) for twin in (twins.acme, twins.globex) for kind, id in twin.some()]

    async def asked(client: Client, query: str) -> bytes:
        variables = {"ids": ids} if "$ids" in query else {}
        return (await client.post(query, **variables)).content

    alone = {
        (who, query): await asked(client, query)
        for who, client in clients.items()
        for query in QUERIES
    }
    assert all(
        alone[(f"{SECRET}.owner", "acme"), query] != alone[("globex.owner", "globex"), query]
        for query in QUERIES
    )
    asks = random.Random(1).choices(list(alone), k=REQUESTS)
    for start in range(0, REQUESTS, AT_ONCE):
        chunk = asks[start : start + AT_ONCE]
        answers = await asyncio.gather(*(asked(clients[who], query) for who, query in chunk))
        for (who, query), answer in zip(chunk, answers, strict=True):
            assert answer == alone[who, query], who

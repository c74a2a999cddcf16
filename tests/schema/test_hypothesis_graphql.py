"""Operations that hypothesis-graphql writes, of whatever the schema allows: compiled, they answer
as graphql-core does, to the byte, and neither fails (`answer_of` looks for INTERNAL)."""

from dataclasses import replace
from typing import Any
from zlib import crc32

import pytest
from graphql import ArgumentNode, FieldNode, ListValueNode, Visitor, parse, print_ast, visit
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis_graphql import nodes, queries

from schema.schema import schema
from tests.graph import Client, asking
from tests.schema.places import Places
from tests.schema.test_execution import COMPILED, STOCK, answer_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

EXAMPLES, LONGEST = 200, 20_000
SCALARS = {
    "DateTime": st.datetimes().map(lambda moment: nodes.String(f"{moment.isoformat()}Z")),
    "JSON": st.sampled_from(["{}", '{"a": 1}', "[]", "1"]).map(nodes.String),
}
QUERY = schema._schema.query_type
DOCUMENTS = (
    st.sampled_from(sorted(QUERY.fields if QUERY else ()))
    .flatmap(
        lambda root: queries(
            schema._schema, fields=[root], custom_scalars=SCALARS, allow_null=False
        )
    )
    .filter(lambda document: len(document) < LONGEST)
)


class Sensible(Visitor):
    """Has most documents ask for what there is: ids that were given out, pages of one size."""

    def __init__(self, ids: list[str]) -> None:
        super().__init__()
        self.ids = ids

    def leave_argument(self, node: ArgumentNode, *_: Any) -> ArgumentNode:
        name, chosen = node.name.value, crc32(print_ast(node.value).encode())
        if name in ("first", "last"):
            return replace(node, value=nodes.Int(chosen % 30))
        if name == "id" and chosen % 4:
            return replace(node, value=nodes.String(self.ids[chosen % len(self.ids)]))
        if name == "ids" and isinstance(node.value, ListValueNode):
            found = [self.ids[(chosen + n) % len(self.ids)] for n in range(5)]
            values = (*node.value.values[:1], *map(nodes.String, found))
            return replace(node, value=ListValueNode(values=values))
        return node

    def leave_field(self, node: FieldNode, *_: Any) -> FieldNode:
        given = {argument.name.value: argument for argument in node.arguments or ()}
        if "first" in given:
            for name in ("last", "after", "before"):
                given.pop(name, None)
        return replace(node, arguments=tuple(given.values()))


def _documents(ids: list[str]) -> list[str]:
    written: dict[str, None] = {}

    @settings(
        max_examples=EXAMPLES,
        phases=[Phase.generate],
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(DOCUMENTS)
    def write(document: str) -> None:
        written[print_ast(visit(parse(document), Sensible(ids)))] = None

    write()
    return list(written)


async def test_answers_as_graphql_core_does(places: Places) -> None:
    documents = _documents([id for model in places.models.values() for id in model])
    answered = 0
    async with asking(COMPILED) as ours, asking(STOCK) as theirs:
        for document in documents:
            answer, expected = [
                await answer_of(Client(client.http, places.admin.headers), document, {})
                for client in (ours, theirs)
            ]
            assert answer == expected, document
            answered += answer[0] != b"null"
    assert answered > EXAMPLES / 3

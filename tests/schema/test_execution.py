"""Random operations on this graph: compiled, they answer as graphql-core does, to the byte."""

import os
import random
from typing import Any

import orjson
import pytest
from graphql import GraphQLField

from schema.schema import schema
from tests.execution.operations import Operations
from tests.graph import SETTINGS, Client, asking
from tests.schema.places import Places

pytestmark = pytest.mark.asyncio(loop_scope="module")

OPERATIONS = int(os.environ.get("DIFFERENTIAL", "200"))
COMPILED = SETTINGS.model_copy(update={"compile_after": 0})
STOCK = SETTINGS.model_copy(update={"compile_after": None})
SIZES = ("first: 3", "last: 2", "first: 100", "first: 0", "first: 2, last: 2", "")


class Asked(Operations):
    """Of pages, mostly, that there are."""

    ids: list[str]

    def arguments(self, definition: GraphQLField) -> list[str]:
        given = [
            f"{name}: {self.argument(argument)}"
            for name, argument in definition.args.items()
            if name in ("query", "by") or (name in ("includeDeleted", "roles") and self.chance(0.5))
        ]
        if "id" in definition.args:
            given.append(f'id: "{self.random.choice(self.ids)}"')
        if "ids" in definition.args:
            given.append(f"ids: {orjson.dumps(self.random.choices(self.ids, k=3)).decode()}")
        if "first" in definition.args:
            given += [size for size in self.random.choices(SIZES, (8, 4, 2, 1, 1, 1)) if size]
        return given

    def literal(self, type: Any) -> str:
        if "By" in str(type):
            return f'{{id: "{self.random.choice(self.ids)}"}}'
        return super().literal(type)

    def value(self, type: Any) -> Any:
        return {"id": self.random.choice(self.ids)} if "By" in str(type) else super().value(type)


@pytest.mark.timeout(3600)
async def test_answers_as_graphql_core_does(places: Places) -> None:
    ids = [id for model in places.models.values() for id in model]
    answered = 0
    async with asking(COMPILED) as ours, asking(STOCK) as theirs:
        for seed in range(OPERATIONS):
            writing = Asked(schema._schema, random.Random(seed))
            writing.ids = ids
            document = writing.write("query")
            asks = writing.random.choice((places.member, places.admin)).headers
            answer, expected = [
                await answer_of(Client(client.http, asks), document, writing.variables)
                for client in (ours, theirs)
            ]
            assert answer == expected, (seed, document, writing.variables)
            answered += answer[0] != b"null"
    assert answered > OPERATIONS / 2


async def answer_of(client: Client, document: str, variables: dict[str, Any]) -> tuple[Any, ...]:
    answer = (await client.post(document, **variables)).json()
    errors = answer.get("errors", [])
    assert "INTERNAL" not in str(errors), (document, errors)
    data = answer.get("data")
    return orjson.dumps(data), *sorted({_place(data, error) for error in errors})


def _place(data: Any, error: Any) -> tuple[str, str]:
    """What an error made null, and its code."""
    place = []
    for key in error.get("path") or ():
        if data is None:
            break
        data = data[key]
        place.append(str(key))
    return ".".join(place), error["extensions"]["code"]

"""The root: what it asks of whoever comes, and that it prints as it is committed."""

from collections.abc import Iterator

import pytest
from graphql import (
    GraphQLNonNull,
    get_named_type,
    is_composite_type,
    is_input_object_type,
    is_list_type,
)

from schema.schema import schema
from tests.schema.workspace import Workspace

ROOT = schema._schema.query_type
assert ROOT is not None


def _value(type: object) -> str:
    """Something that an argument of the type accepts."""
    if isinstance(type, GraphQLNonNull):
        return _value(type.of_type)
    if is_list_type(type):
        return "[]"
    return '{id: "x"}' if is_input_object_type(type) else '"x"'


def _queries() -> Iterator[tuple[str, str]]:
    assert ROOT is not None
    for name, field in ROOT.fields.items():
        values = {
            argument: _value(spec.type)
            for argument, spec in field.args.items()
            if isinstance(spec.type, GraphQLNonNull)
        } | ({"first": "1"} if "first" in field.args else {})
        given = ", ".join(f"{argument}: {value}" for argument, value in values.items())
        below = "{ __typename }" if is_composite_type(get_named_type(field.type)) else ""
        yield name, f"{{ {name}{f'({given})' if given else ''} {below} }}"


QUERIES = dict(_queries())
PUBLIC = {"viewer"}
OF_ADMINS = {"auditEvents"}


def test_all_root_fields_of_the_contract() -> None:
    assert QUERIES.keys() >= {
        *("node", "nodes", "viewer", "tenant", "user", "users"),
        *("conversation", "conversations", "documents", "auditEvents"),
    }


@pytest.mark.parametrize("field", QUERIES)
async def test_every_field_asks_who_and_where(acme: Workspace, field: str) -> None:
    nowhere = acme.client.signed_in(await acme.cast.person("dan"))
    if field in PUBLIC:
        assert await acme.client.ask(QUERIES[field]) == {field: None}
        assert await nowhere.codes(QUERIES[field]) == []
    elif field == "nodes":  # none is asked for by the query above
        query = '{ nodes(ids: ["x", "y"]) { id } }'
        assert set(await acme.client.codes(query)) == {"UNAUTHENTICATED"}
        assert set(await nowhere.codes(query)) == {"FORBIDDEN"}
    else:
        assert await acme.client.codes(QUERIES[field]) == ["UNAUTHENTICATED"]
        assert await nowhere.codes(QUERIES[field]) == ["FORBIDDEN"]
    for name in ("bob", "root"):
        is_refused = name == "bob" and field in OF_ADMINS
        expected = ["FORBIDDEN"] if is_refused else []
        assert await acme.by(name).codes(QUERIES[field]) == expected


async def test_a_query_about_the_schema_needs_nobody(acme: Workspace) -> None:
    assert await acme.client.ask("{ __typename __schema { queryType { name } } }") == {
        "__typename": "Query",
        "__schema": {"queryType": {"name": "Query"}},
    }

"""Every way through the graph to an object, as the schema has it: a field that is added later is
a way too."""

from functools import cache

from graphql import (
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLObjectType,
    get_named_type,
    is_composite_type,
)

from tests.schema.attacks import GRAPH

HOPS = 3
PAGE = 9
UNTOLD = ("Connection", "Edge", "Payload", "PageInfo", "UserError", "MessageChange")
"""Types that hold no data of their own, by how their names end."""


def told() -> list[str]:
    """Types that the document tells of."""
    return [
        name
        for name, type in GRAPH.type_map.items()
        if isinstance(type, GraphQLObjectType) and not name.endswith(UNTOLD) and name[:2] != "__"
    ]


def fields_of(type: str) -> dict[str, GraphQLField]:
    found = GRAPH.type_map[type]
    assert isinstance(found, GraphQLObjectType)
    return dict(found.fields)


def is_connection(field: GraphQLField) -> bool:
    return get_named_type(field.type).name.endswith("Connection")


def selection(field: GraphQLField) -> str:
    """The least that tells what is in it."""
    if is_connection(field):
        return f"(first: {PAGE}) {{ totalCount nodes {{ id }} }}"
    return "{ id }" if is_composite_type(get_named_type(field.type)) else ""


@cache
def ways(type: str) -> tuple[str, ...]:
    """Queries that lead to a type, with @ for what is asked there; by its id first. Variables are
    ids, each named after its type."""
    found: list[str] = []
    if "id" in fields_of(type):
        id = f"${type.lower()}"
        inside = f"{{ ... on {type} {{ @ }} }}"
        found = [f"node(id: {id}) {inside}", f"nodes(ids: [{id}]) {inside}"]
    paths = [("", "Query")]
    for _ in range(HOPS):
        paths = [(path + text, below) for path, parent in paths for text, below in _edges(parent)]
        found += [f"{path}@{_closed(path)}" for path, below in paths if below == type]
    return tuple(found)


def _edges(type: str) -> list[tuple[str, str]]:
    """Fields that lead on, with their arguments, and the types that they lead to."""
    found = []
    for name, field in fields_of(type).items():
        below = get_named_type(field.type)
        if isinstance(below, GraphQLObjectType):
            inside = " { nodes { " if is_connection(field) else " { "
            node = below.fields["nodes"] if is_connection(field) else field
            found.append((name + _arguments(name, field) + inside, get_named_type(node.type).name))
    return found


def _arguments(name: str, field: GraphQLField) -> str:
    """Those that show most."""
    known = {"first": str(PAGE), "by": f"{{id: ${name}}}", "includeDeleted": "true"}
    if "query" in field.args:  # what all say; of a larger page too much could come
        known |= {"first": str(PAGE - 3), "query": '"message"'}
    given = [f"{argument}: {known[argument]}" for argument in known if argument in field.args]
    if "filter" in field.args:
        wanted = get_named_type(field.args["filter"].type)
        if isinstance(wanted, GraphQLInputObjectType) and "includeDeleted" in wanted.fields:
            given.append("filter: {includeDeleted: true}")
    return f"({', '.join(given)})" if given else ""


def _closed(path: str) -> str:
    return " }" * (path.count("{") - path.count("}"))

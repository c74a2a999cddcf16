"""Queries with a value in every argument of the graph, made from the schema: an argument that is
added later is attacked too, or says that nobody knows how."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from graphql import (
    GraphQLArgument,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNonNull,
    GraphQLObjectType,
    Undefined,
    get_named_type,
    is_composite_type,
    is_list_type,
)

from schema.schema import schema

GRAPH = schema._schema
PAGE = {"first", "last"}
CURSORS = {"after", "before"}
NEEDED = {"query": '"says"'}
"""What must be given where something else is tried."""
DEPTH = 1


@dataclass(frozen=True)
class Slot:
    """A place for a value: `Type.field(argument)` or `Type.field(argument.key)`."""

    path: tuple[str, ...]
    """From the root to the field's parent, each with its arguments."""
    parent: str
    field: str
    argument: str
    key: str | None

    @property
    def name(self) -> str:
        inside = f".{self.key}" if self.key else ""
        return f"{self.parent}.{self.field}({self.argument}{inside})"

    @property
    def type(self) -> Any:
        """Of the value."""
        named = get_named_type(_type(self.parent).fields[self.field].args[self.argument].type)
        if isinstance(named, GraphQLInputObjectType):
            assert self.key is not None
            return get_named_type(named.fields[self.key].type)
        return named

    @property
    def is_cursor(self) -> bool:
        return self.argument in CURSORS

    def attack(self, value: Any) -> tuple[str, dict[str, Any]]:
        """A query and its variables."""
        definition = _type(self.parent).fields[self.field]
        type = definition.args[self.argument].type
        if self.key is not None:
            owner = get_named_type(type)
            assert isinstance(owner, GraphQLInputObjectType)
            listed = is_list_type(_nullable(owner.fields[self.key].type))
            value = {self.key: [value] if listed else value}
        elif is_list_type(_nullable(type)):
            value = [value]
        page = "first: 20, " if "first" in definition.args else ""
        for name, argument in definition.args.items():
            if _required(argument) and name != self.argument:
                page += f"{name}: {NEEDED[name]}, "
        target = f"{self.field}({page}{self.argument}: $v) {selection(definition)}"
        inside = " { ".join([*self.path, target]) + " }" * len(self.path)
        return f"query ($v: {type}) {{ {inside} }}", {"v": value}


def everything(field: str) -> str:
    """A query for all that is behind a root field without arguments."""
    return f"{{ {field} {selection(_type('Query').fields[field], 2)} }}"


def _nullable(type: Any) -> Any:
    return type.of_type if isinstance(type, GraphQLNonNull) else type


def _type(name: str) -> GraphQLObjectType:
    type = GRAPH.type_map[name]
    assert isinstance(type, GraphQLObjectType)
    return type


def slots() -> list[Slot]:
    return [slot for name, path in _paths().items() for slot in _slots(name, path)]


def _slots(parent: str, path: tuple[str, ...]) -> Iterator[Slot]:
    for field, definition in _type(parent).fields.items():
        for argument, spec in definition.args.items():
            named = get_named_type(spec.type)
            if isinstance(named, GraphQLInputObjectType):
                for key, inner in named.fields.items():
                    assert not isinstance(get_named_type(inner.type), GraphQLInputObjectType)
                    yield Slot(path, parent, field, argument, key)
            elif argument not in PAGE:
                yield Slot(path, parent, field, argument, None)


def _paths() -> dict[str, tuple[str, ...]]:
    """The shortest way to each object type, by fields that need no id."""
    found: dict[str, tuple[str, ...]] = {"Query": ()}
    queue = deque(["Query"])
    while queue:
        name = queue.popleft()
        for field, definition in _type(name).fields.items():
            below = get_named_type(definition.type)
            if isinstance(below, GraphQLObjectType) and below.name not in found:
                arguments = _arguments(definition)
                if arguments is not None:
                    found[below.name] = (*found[name], field + arguments)
                    queue.append(below.name)
    return found


def _arguments(field: GraphQLField) -> str | None:
    """None for a field that cannot be asked without knowing more."""
    if any(_required(argument) for argument in field.args.values()):
        return None
    return "(first: 6)" if "first" in field.args else ""


def _required(argument: GraphQLArgument) -> bool:
    return isinstance(argument.type, GraphQLNonNull) and argument.default_value is Undefined


def selection(field: GraphQLField, depth: int = DEPTH) -> str:
    """All that can be selected, and what it leads to, `depth` edges away."""
    named = get_named_type(field.type)
    if not is_composite_type(named):
        return ""
    if isinstance(named, GraphQLInterfaceType):
        types = GRAPH.get_possible_types(named)
        return "{ " + " ".join(f"... on {type} {_fields(type, depth)}" for type in types) + " }"
    assert isinstance(named, GraphQLObjectType)
    return _fields(named, depth)


def _fields(type: GraphQLObjectType, depth: int) -> str:
    is_page = type.name.endswith(("Connection", "Edge"))
    parts = ["__typename"]
    for name, field in type.fields.items():
        arguments = _arguments(field)
        below = depth if is_page else depth - 1
        is_far = below < 0 and is_composite_type(get_named_type(field.type))
        if arguments is None or is_far or (is_page and name == "nodes"):  # nodes: as edges
            continue
        # Aliases: fields of one name differ in type, which fragments on an interface may not.
        alias = f"{type.name}_{name}: {name}"
        parts.append(alias + arguments + " " + selection(field, below))
    return "{ " + " ".join(parts) + " }"

"""From an operation to selections: what of it depends on the document alone, done once."""

from collections.abc import Mapping
from dataclasses import dataclass
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING

from graphql import (
    GraphQLAbstractType,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLSchema,
    OperationType,
    is_abstract_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
)
from graphql.execution.collect_fields import (
    FieldDetails,
    GroupedFieldSet,
    collect_fields,
    collect_subfields,
)
from strawberry import Schema

from execution.abstract import AbstractPosition
from execution.arguments import Signatures
from execution.fields import Field
from execution.leaves import LeafPosition, Writer, writer_of
from execution.lists import ListPosition
from execution.objects import ObjectPosition, Selection
from execution.position import Position
from execution.sources import source_of

if TYPE_CHECKING:
    from execution.executor import CompiledExecutor

MAX_FIELDS = 1000
"""Of a plan. Fragments that spread others can ask for 2^n of them in n lines."""

MAX_DEPTH = 50
"""What is planned deeper, Python's stack may not hold when it is executed."""


class Unplanned(Exception):
    """graphql-core executes the operation; the argument says why, in a word."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Shared by all who send the document: it holds nothing of a request."""

    roots: tuple[Selection, ...]
    """One; of a mutation one for each field, executed one after the other."""
    size: int


def plan_of(executor: "CompiledExecutor") -> Plan:
    """Raises Unplanned."""
    planner = _Planner(executor)
    return Plan(tuple(planner.roots()), planner.size)


class _Planner:
    def __init__(self, executor: "CompiledExecutor") -> None:
        self.executor = executor
        self.schema: GraphQLSchema = executor.schema
        strawberry: Schema = getattr(executor.schema, "_strawberry_schema")  # noqa: B009
        self.signatures = Signatures(strawberry)
        self.writers: Mapping[str, Writer] = executor.writers
        self.size = 0
        self.depth = 0
        self.has_one_root = False
        """Of a query: whether one field is all that it asks for."""

    def roots(self) -> list[Selection]:
        executor, operation = self.executor, self.executor.operation
        root = self.schema.get_root_type(operation.operation)
        if root is None:
            raise Unplanned("no root")
        fields = collect_fields(
            self.schema,
            executor.fragments,
            executor.variable_values,
            root,
            operation,
            executor.hide_suggestions,
        ).grouped_field_set
        if operation.operation is OperationType.MUTATION:
            return [self.selection(root, {key: details}) for key, details in fields.items()]
        names = [details[0].node.name.value for details in fields.values()]
        self.has_one_root = len(names) - names.count("__typename") == 1
        return [self.selection(root, fields)]

    def selection(self, type: GraphQLObjectType, grouped: GroupedFieldSet) -> Selection:
        fields, keys = [], []
        for key, details in grouped.items():
            name = details[0].node.name.value
            if name in ("__schema", "__type"):
                raise Unplanned("introspection")
            keys.append(key)
            if name != "__typename":
                fields.append(self.field(type, key, details))
        return Selection(type, fields, keys)

    def field(self, parent: GraphQLObjectType, key: str, details: list[FieldDetails]) -> Field:
        self.size += 1
        if self.size > MAX_FIELDS:
            raise Unplanned("size")
        node = details[0].node
        definition = parent.fields[node.name.value]
        is_all = self.has_one_root and not self.depth
        field = Field(key, details, definition, parent, is_all)
        field.position = self.position(definition.type, field)
        field.source = source_of(definition, node, self.signatures, field.position)
        return field

    def position(self, type: GraphQLOutputType, field: Field) -> Position:
        bare = type.of_type if is_non_null_type(type) else type
        if is_list_type(bare):
            return ListPosition(type, field, self.position(bare.of_type, field))
        if is_leaf_type(bare):
            return LeafPosition(type, field, bare, writer_of(bare, self.writers))
        if is_abstract_type(bare):
            return self.abstract(type, bare, field)
        assert isinstance(bare, GraphQLObjectType)
        return self.object(type, bare, field)

    def object(
        self, type: GraphQLOutputType, bare: GraphQLObjectType, field: Field
    ) -> ObjectPosition:
        if iscoroutinefunction(bare.is_type_of):
            raise Unplanned("async type")
        executor = self.executor
        fields = collect_subfields(
            self.schema,
            executor.fragments,
            executor.variable_values,
            executor.operation,
            bare,
            field.details,
            executor.hide_suggestions,
        ).grouped_field_set
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise Unplanned("depth")
        position = ObjectPosition(type, field, self.selection(bare, fields))
        self.depth -= 1
        return position

    def abstract(
        self, type: GraphQLOutputType, bare: GraphQLAbstractType, field: Field
    ) -> AbstractPosition:
        if iscoroutinefunction(bare.resolve_type):
            raise Unplanned("async type")
        possible = {
            object.name: self.object(type, object, field)
            for object in self.schema.get_possible_types(bare)
        }
        return AbstractPosition(type, field, bare, possible)

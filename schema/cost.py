"""An upper bound of the values that a query can return, refused before it runs.

A field costs one for each time that it is resolved, and a connection resolves its children up to
`first` or `last` times. What a selection costs does not depend on where it is spread, so each
fragment is walked once: linear in the document, where counting by expansion is exponential.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    get_operation_ast,
    value_from_ast_untyped,
)
from strawberry.extensions import SchemaExtension

from core.errors import BadInput
from resolvers.document import MAX_CITATIONS
from resolvers.membership import MAX_MEMBERSHIPS
from resolvers.session import MAX_SESSIONS
from schema.errors import as_graphql_error

MAX_COST = 200_000
MAX_DEPTH = 20
LISTS = {"usedDocuments": MAX_CITATIONS, "memberships": MAX_MEMBERSHIPS, "sessions": MAX_SESSIONS}
"""Lists that are no connections, by field: how long they can get."""


class Bound(NamedTuple):
    cost: int
    depth: int


class Walk:
    def __init__(self, document: DocumentNode, variables: Mapping[str, Any]) -> None:
        self.variables = variables
        self.fragments = {
            node.name.value: node
            for node in document.definitions
            if isinstance(node, FragmentDefinitionNode)
        }
        self.known: dict[str, Bound] = {}

    def selections(self, selection_set: SelectionSetNode | None) -> Bound:
        cost = depth = 0
        for node in selection_set.selections if selection_set else ():
            match node:
                case FieldNode():
                    below = self.selections(node.selection_set)
                    bound = Bound(1 + self.size(node) * below.cost, 1 + below.depth)
                case FragmentSpreadNode():
                    bound = self.fragment(node.name.value)
                case InlineFragmentNode():
                    bound = self.selections(node.selection_set)
                case _:
                    raise TypeError(node)
            cost, depth = cost + bound.cost, max(depth, bound.depth)
        return Bound(cost, depth)

    def fragment(self, name: str) -> Bound:
        if name not in self.known:
            self.known[name] = self.selections(self.fragments[name].selection_set)
        return self.known[name]

    def size(self, field: FieldNode) -> int:
        """How often a field's children are resolved."""
        for argument in field.arguments or ():
            value = value_from_ast_untyped(argument.value, dict(self.variables))
            if isinstance(value, float) and value.is_integer():  # 100.0 in JSON is an Int, too
                value = int(value)
            if argument.name.value in ("first", "last") and isinstance(value, int):
                return min(max(value, 1), MAX_COST)
            if argument.name.value == "ids" and isinstance(value, list):
                return max(len(value), 1)
        return LISTS.get(field.name.value, 1)


def _variables(operation: OperationDefinitionNode, given: Mapping[str, Any]) -> dict[str, Any]:
    defaults = {
        definition.variable.name.value: value_from_ast_untyped(definition.default_value)
        for definition in operation.variable_definitions or ()
        if definition.default_value
    }
    return defaults | dict(given)


def refusal(document: DocumentNode, name: str | None, given: Mapping[str, Any]) -> BadInput | None:
    operation = get_operation_ast(document, name)
    if operation is None:  # Strawberry would run the first one
        return BadInput("There are several operations: operationName must name one.")
    bound = Walk(document, _variables(operation, given)).selections(operation.selection_set)
    if bound.cost > MAX_COST:
        return BadInput(f"May return {bound.cost} values, more than {MAX_COST}: ask for less.")
    if bound.depth > MAX_DEPTH:
        return BadInput(f"Is {bound.depth} levels deep, more than {MAX_DEPTH}.")
    return None


class Cost(SchemaExtension):
    def on_execute(self) -> Iterator[None]:
        context = self.execution_context
        if context.graphql_document is not None:
            error = refusal(
                context.graphql_document,
                context._provided_operation_name,
                context.variables or {},
            )
            if error is not None:
                raise as_graphql_error(error)
        yield

"""An upper bound of the values that a query can return, refused before it runs.

A field costs one for each time that it is resolved, and a connection resolves its children up to
`first` or `last` times. What a selection costs does not depend on where it is spread, so each
fragment is walked once: linear in the document, where counting by expansion is exponential.
"""

from collections.abc import Hashable
from typing import Any, NamedTuple

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
    value_from_ast_untyped,
)

from core.errors import BadInput
from execution.documents import Document
from resolvers.document import MAX_CITATIONS
from resolvers.membership import MAX_MEMBERSHIPS
from resolvers.session import MAX_SESSIONS

MAX_COST = 200_000
MAX_DEPTH = 20
LISTS = {"usedDocuments": MAX_CITATIONS, "memberships": MAX_MEMBERSHIPS, "sessions": MAX_SESSIONS}
"""Lists that are no connections, by field: how long they can get."""

SIZES = ("first", "last", "ids")
"""Arguments that say how often a field's children are resolved."""

MAX_KNOWN = 64
"""Sizes of an operation: an app asks for the same ones again and again."""


class Bound(NamedTuple):
    cost: int
    depth: int


class Walk:
    def __init__(self, document: DocumentNode, variables: dict[str, Any]) -> None:
        self.variables = variables
        self.sizing: set[str] = set()
        """The variables that sizes may depend on, whatever the values of others are."""
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
        sizes = [node for node in field.arguments or () if node.name.value in SIZES]
        self.sizing |= {
            node.value.name.value for node in sizes if isinstance(node.value, VariableNode)
        }
        for node in sizes:
            value = value_from_ast_untyped(node.value, self.variables)
            if isinstance(value, float) and value.is_integer():  # 100.0 in JSON is an Int, too
                value = int(value)
            if node.name.value == "ids":
                if isinstance(value, list):
                    return max(len(value), 1)
            elif isinstance(value, int):
                return min(max(value, 1), MAX_COST)
        return LISTS.get(field.name.value, 1)


class Costs:
    """Of an operation. What it may cost depends on its variables only in their sizes."""

    def __init__(self, document: DocumentNode, operation: OperationDefinitionNode) -> None:
        self.document, self.operation = document, operation
        self.defaults = {
            definition.variable.name.value: value_from_ast_untyped(definition.default_value)
            for definition in operation.variable_definitions or ()
            if definition.default_value
        }
        self.sizing: tuple[str, ...] | None = None
        self.known: dict[tuple[Hashable, ...], BadInput | None] = {}

    def refusal(self, given: dict[str, Any]) -> BadInput | None:
        variables = self.defaults | given if self.defaults else given
        if self.sizing is None:
            return self._walked(variables)
        sizes = tuple(_size(variables.get(name)) for name in self.sizing)
        try:
            return self.known[sizes]
        except KeyError:
            return self._walked(variables)

    def _walked(self, variables: dict[str, Any]) -> BadInput | None:
        walk = Walk(self.document, variables)
        refusal = _refusal(walk.selections(self.operation.selection_set))
        self.sizing = tuple(sorted(walk.sizing))
        if len(self.known) >= MAX_KNOWN:
            self.known.clear()
        self.known[tuple(_size(variables.get(name)) for name in self.sizing)] = refusal
        return refusal


def _size(value: object) -> Hashable:
    """What a Walk sees of a variable."""
    if isinstance(value, list):
        return (len(value),)
    return value if isinstance(value, int | float) else None


def _refusal(bound: Bound) -> BadInput | None:
    if bound.cost > MAX_COST:
        return BadInput(f"May return {bound.cost} values, more than {MAX_COST}: ask for less.")
    if bound.depth > MAX_DEPTH:
        return BadInput(f"Is {bound.depth} levels deep, more than {MAX_DEPTH}.")
    return None


def refusal(document: Document, name: str | None, given: dict[str, Any]) -> BadInput | None:
    if name is None and len(document.operations) > 1:  # Strawberry would run the first one
        return BadInput("There are several operations: operationName must name one.")
    costs = document.checked.get(name)
    if costs is None:
        operation = document.operation(name)
        assert operation is not None, "it is known by now"
        costs = document.checked[name] = Costs(document.node, operation.node)
    return costs.refusal(given)

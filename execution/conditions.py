"""Directives of a document, as far as they decide what is executed, and by whom."""

from collections.abc import Iterator
from typing import Any

from graphql import (
    DirectiveNode,
    DocumentNode,
    FragmentDefinitionNode,
    OperationDefinitionNode,
    VariableNode,
)

KNOWN = ("skip", "include")


def conditions(document: DocumentNode) -> tuple[str, ...] | None:
    """The variables that @skip and @include depend on. None where there are other directives, or
    fragments that have variables of their own."""
    names = set()
    for definition in document.definitions:
        if isinstance(definition, FragmentDefinitionNode) and definition.variable_definitions:
            return None
        for directive in _directives(definition):
            if directive.name.value not in KNOWN:
                return None
            for argument in directive.arguments or ():
                if isinstance(argument.value, VariableNode):
                    names.add(argument.value.name.value)
    return tuple(sorted(names))


def _directives(definition: Any) -> Iterator[DirectiveNode]:
    if isinstance(definition, OperationDefinitionNode):
        for variable in definition.variable_definitions or ():
            yield from variable.directives or ()
    nodes = [definition]
    while nodes:
        node = nodes.pop()
        yield from node.directives or ()
        if selection_set := getattr(node, "selection_set", None):
            nodes.extend(selection_set.selections)

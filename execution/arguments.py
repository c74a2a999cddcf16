"""Arguments of a field, by their Python names, as resolvers get them. What follows from the
document alone is found out when it is planned, and variables of scalars are handed on: only what
Strawberry makes objects of is converted each time."""

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any, NamedTuple

from graphql import (
    ArgumentNode,
    FieldNode,
    GraphQLArgument,
    GraphQLError,
    GraphQLField,
    ListValueNode,
    ObjectValueNode,
    VariableNode,
    is_non_null_type,
    is_required_argument,
)
from graphql.execution.values import coerce_argument
from strawberry import Schema
from strawberry.relay import GlobalID
from strawberry.scalars import is_scalar
from strawberry.types.arguments import StrawberryArgument, convert_arguments
from strawberry.types.base import StrawberryMaybe, StrawberryOptional
from strawberry.types.enum import StrawberryEnumDefinition
from strawberry.types.field import StrawberryField

from execution.run import Run

if TYPE_CHECKING:
    from execution.fields import Field


class Variable(NamedTuple):
    name: str
    argument: str
    may_be_missing: bool
    may_be_null: bool


class Arguments:
    def __init__(
        self, schema: Schema, field: StrawberryField, definition: GraphQLField, node: FieldNode
    ) -> None:
        self.config = schema.config
        self.scalars = schema.schema_converter.scalar_registry
        self.all = field.arguments
        self.constants: dict[str, Any] = {}
        """Defaults too, also of those that a variable may give."""
        self.variables: list[Variable] = []
        self.converted: list[StrawberryArgument] = []
        given = {argument.name.value: argument for argument in node.arguments or ()}
        for argument in self.all:
            name = self.config.name_converter.from_argument(argument)
            known = self._is_leaf(argument.type) and self._know(
                argument.python_name, name, definition.args[name], node, given.get(name)
            )
            if not known:
                self.converted.append(argument)

    def __call__(self, run: Run, field: "Field", info: Any) -> dict[str, Any]:
        """Raises what is wrong with them."""
        arguments = self.constants.copy()
        values = run.executor.variable_values.coerced
        for name, argument, may_be_missing, may_be_null in self.variables:
            if name in values:
                value = arguments[argument] = values[name]
                if value is None and not may_be_null:
                    return self._convert(run, field, self.all, info)
            elif not may_be_missing:
                return self._convert(run, field, self.all, info)
        if self.converted:
            arguments |= self._convert(run, field, self.converted, info)
        return arguments

    def _convert(
        self, run: Run, field: "Field", arguments: list[StrawberryArgument], info: Any
    ) -> dict[str, Any]:
        given = run.arguments(field)
        return convert_arguments(given, arguments, self.scalars, self.config, info)

    def _is_leaf(self, type: Any) -> bool:
        """Whether Strawberry hands on what graphql-core has made of it."""
        if isinstance(type, StrawberryOptional) and not isinstance(type, StrawberryMaybe):
            type = type.of_type
        if isinstance(type, StrawberryEnumDefinition):
            return True
        return type is not GlobalID and is_scalar(type, self.scalars)

    def _know(
        self,
        argument: str,
        name: str,
        definition: GraphQLArgument,
        node: FieldNode,
        given: ArgumentNode | None,
    ) -> bool:
        value = given.value if given else None
        is_variable = isinstance(value, VariableNode)
        if isinstance(value, ListValueNode | ObjectValueNode):
            return False
        found: dict[str, Any] = {}
        try:
            if not (is_variable and is_required_argument(definition)):
                constant = None if is_variable else given
                coerce_argument(found, node, name, definition, constant, None, None)
        except GraphQLError:
            return False
        for constant_value in found.values():
            if not isinstance(constant_value, Hashable):
                return False  # each resolver gets its own
            self.constants[argument] = constant_value
        if isinstance(value, VariableNode):
            self.variables.append(
                Variable(
                    value.name.value,
                    argument,
                    may_be_missing=not is_required_argument(definition),
                    may_be_null=not is_non_null_type(definition.type),
                )
            )
        return True

"""Arguments of a field, by their Python names, as resolvers get them. What the document says of
them is looked at when it is planned."""

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
from strawberry.types.arguments import StrawberryArgument, convert_arguments
from strawberry.types.field import StrawberryField

from execution.inputs import Convert, Converters, Unknown, as_it_is
from execution.run import Run

if TYPE_CHECKING:
    from execution.fields import Field


class Variable(NamedTuple):
    """What gives an argument."""

    name: str
    argument: str
    convert: Convert
    may_be_missing: bool
    may_be_null: bool


class Literal(NamedTuple):
    """An argument that has variables within it, or that no two resolvers should share."""

    name: str
    argument: str
    convert: Convert


class Arguments:
    def __init__(
        self, schema: Schema, field: StrawberryField, definition: GraphQLField, node: FieldNode
    ) -> None:
        self.schema = schema
        self.constants: dict[str, Any] = {}
        """With the defaults of those that a variable may give."""
        self.variables: list[Variable] = []
        self.literals: list[Literal] = []
        self.unknown: list[StrawberryArgument] = []
        given = {argument.name.value: argument for argument in node.arguments or ()}
        for argument in field.arguments:
            name = schema.config.name_converter.from_argument(argument)
            try:
                convert = Converters(schema).of(argument.type)
            except Unknown:
                self.unknown.append(argument)
            else:
                self._plan(
                    Literal(name, argument.python_name, convert),
                    definition.args[name],
                    node,
                    given.get(name),
                )

    def __call__(self, run: Run, field: "Field", info: Any) -> dict[str, Any]:
        """Raises what is wrong with them."""
        arguments = self.constants.copy()
        values = run.executor.variable_values.coerced
        for name, argument, convert, may_be_missing, may_be_null in self.variables:
            if name in values:
                value = values[name]
                if value is None and not may_be_null:
                    run.arguments(field)
                arguments[argument] = convert(value)
            elif not may_be_missing:
                run.arguments(field)
        if self.literals or self.unknown:
            self._add_others(arguments, run.arguments(field), info)
        return arguments

    def _add_others(self, arguments: dict[str, Any], given: dict[str, Any], info: Any) -> None:
        for name, argument, convert in self.literals:
            if name in given:
                arguments[argument] = convert(given[name])
        if self.unknown:
            config, scalars = self.schema.config, self.schema.schema_converter.scalar_registry
            arguments |= convert_arguments(given, self.unknown, scalars, config, info)

    def _plan(
        self,
        literal: Literal,
        definition: GraphQLArgument,
        node: FieldNode,
        given: ArgumentNode | None,
    ) -> None:
        name, argument, convert = literal
        value = given and given.value
        if isinstance(value, VariableNode):
            required = is_required_argument(definition)
            may_be_null = not is_non_null_type(definition.type)
            variable = Variable(value.name.value, argument, convert, not required, may_be_null)
            constant = [] if required else _constant(name, definition, node, None)
        else:
            variable = None
            constant = _constant(name, definition, node, given)
        if constant is None or not all(_may_share(value, convert) for value in constant):
            self.literals.append(literal)
            return
        self.constants.update((argument, value) for value in constant)
        if variable:
            self.variables.append(variable)


def _constant(
    name: str, definition: GraphQLArgument, node: FieldNode, given: ArgumentNode | None
) -> list[Any] | None:
    """Its value, or no value. None if variables may be in it, or it is wrong."""
    if given and isinstance(given.value, ListValueNode | ObjectValueNode):
        return None
    found: dict[str, Any] = {}
    try:
        coerce_argument(found, node, name, definition, given, None, None)
    except GraphQLError:
        return None
    return list(found.values())


def _may_share(value: Any, convert: Convert) -> bool:
    return value is None or (convert is as_it_is and isinstance(value, Hashable))

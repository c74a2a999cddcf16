"""Arguments of a field, by their Python names, as resolvers get them. What its definition and the
document say of them is looked at when the document is planned."""

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

from execution.inputs import Convert, Converters, Unknown, unchanged
from execution.run import Run

if TYPE_CHECKING:
    from execution.fields import Field


class Parameter(NamedTuple):
    name: str
    python_name: str
    definition: GraphQLArgument
    convert: Convert


class Signature:
    """What a field can be given, whatever a document says."""

    def __init__(
        self,
        converters: Converters,
        field: StrawberryField,
        definition: GraphQLField,
        node: FieldNode,
    ) -> None:
        self.schema = converters.schema
        self.parameters: dict[str, Parameter] = {}
        self.defaults: dict[str, Any] = {}
        self.made: tuple[Parameter, ...] = ()
        """Whose defaults no two resolvers should share."""
        self.unknown: list[StrawberryArgument] = []
        for argument in field.arguments:
            name = self.schema.config.name_converter.from_argument(argument)
            try:
                convert = converters.of(argument.type)
            except Unknown:
                self.unknown.append(argument)
                continue
            parameter = Parameter(name, argument.python_name, definition.args[name], convert)
            self.parameters[name] = parameter
            default = _constant(parameter, node, None)
            if default is None:
                self.made += (parameter,)
            else:
                self.defaults |= default


class Signatures:
    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self.converters = Converters(schema)
        self.found: dict[int, Signature] = {}

    def arguments(
        self, field: StrawberryField, definition: GraphQLField, node: FieldNode
    ) -> "Arguments":
        signature = self.found.get(id(definition))
        if signature is None:
            signature = Signature(self.converters, field, definition, node)
            self.found[id(definition)] = signature
        return Arguments(signature, node)


class Variable(NamedTuple):
    name: str
    argument: str
    convert: Convert
    may_be_missing: bool
    may_be_null: bool


class Arguments:
    __slots__ = ("constants", "made", "signature", "variables")

    def __init__(self, signature: Signature, node: FieldNode) -> None:
        self.signature = signature
        self.constants = signature.defaults
        """With the defaults of those that a variable may give."""
        self.variables: tuple[Variable, ...] = ()
        self.made = signature.made
        """By graphql-core, each time."""
        for given in node.arguments or ():
            parameter = signature.parameters.get(given.name.value)
            if parameter and parameter not in signature.made:
                self._give(parameter, node, given)

    def _give(self, parameter: Parameter, node: FieldNode, given: ArgumentNode) -> None:
        argument = parameter.python_name
        if isinstance(given.value, VariableNode):
            self.variables += (_variable(given.value.name.value, parameter),)
            return
        constants = _constant(parameter, node, given)
        if constants is None:
            self.made += (parameter,)
            constants = {}
        self.constants = {**self.constants, **constants}
        if not constants:
            self.constants.pop(argument, None)

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
        if self.made or self.signature.unknown:
            self._make(arguments, run.arguments(field), info)
        return arguments

    def _make(self, arguments: dict[str, Any], given: dict[str, Any], info: Any) -> None:
        for name, argument, _, convert in self.made:
            if name in given:
                arguments[argument] = convert(given[name])
        if unknown := self.signature.unknown:
            schema = self.signature.schema
            scalars = schema.schema_converter.scalar_registry
            arguments |= convert_arguments(given, unknown, scalars, schema.config, info)


def _variable(name: str, parameter: Parameter) -> Variable:
    _, argument, definition, convert = parameter
    may_be_missing = not is_required_argument(definition)
    return Variable(name, argument, convert, may_be_missing, not is_non_null_type(definition.type))


def _constant(
    parameter: Parameter, node: FieldNode, given: ArgumentNode | None
) -> dict[str, Any] | None:
    """By its Python name, if there is one. None if no two resolvers should share it, or variables
    may be in it, or it is wrong."""
    name, argument, definition, convert = parameter
    if given is None and is_required_argument(definition):
        return {}
    if given and isinstance(given.value, ListValueNode | ObjectValueNode):
        return None
    found: dict[str, Any] = {}
    try:
        coerce_argument(found, node, name, definition, given, None, None)
    except GraphQLError:
        return None
    constants = {}
    for value in found.values():
        if value is not None and not (convert is unchanged and isinstance(value, Hashable)):
            return None
        constants[argument] = value
    return constants

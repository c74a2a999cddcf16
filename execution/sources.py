"""Where the values of a field come from, for all objects of a level at once. What is not known to
be simple is resolved as graphql-core would, object by object."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from graphql import GraphQLField
from strawberry import Schema
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types.arguments import convert_arguments
from strawberry.types.field import StrawberryField

from execution.batched import Batched, Derived
from execution.origin import Origin
from execution.reading import Attribute, each
from execution.run import Column, Run, lazy_info

if TYPE_CHECKING:
    from execution.fields import Field


class Source(Protocol):
    of_row: bool
    """Whether the value is the object's own, whoever asks."""

    def __call__(
        self, run: Run, field: "Field", objects: Column, origin: Origin
    ) -> Column | Awaitable[Column]: ...


class OfRow:
    """An attribute, or a method that takes nothing but its object."""

    of_row = True

    def __init__(self, read: Callable[[Column], Column]) -> None:
        self.read = read

    def __call__(self, run: Run, field: "Field", objects: Column, origin: Origin) -> Column:  # noqa: ARG002
        return self.read(objects)


class Arguments:
    """By their Python names, as resolvers get them."""

    def __init__(self, schema: Schema, field: StrawberryField) -> None:
        self.field = field
        self.scalars = schema.schema_converter.scalar_registry
        self.config = schema.config

    def __call__(self, run: Run, field: "Field", info: Any) -> dict[str, Any]:
        """Raises what is wrong with them."""
        given = run.arguments(field)
        return convert_arguments(given, self.field.arguments, self.scalars, self.config, info)


class Batch:
    of_row = False

    def __init__(self, batched: Batched, arguments: Arguments) -> None:
        self.batched = batched
        self.arguments = arguments

    def __call__(
        self, run: Run, field: "Field", objects: Column, origin: Origin
    ) -> Column | Awaitable[Column]:
        context = run.executor.context_value
        try:
            arguments = self.arguments(run, field, lazy_info(run, field, origin, 0))
        except Exception as error:  # noqa: BLE001 - a scalar's parser may raise anything
            return [error] * len(objects)
        return self.batched.load_all(context, objects, arguments)


class Resolver:
    """A resolver without extensions, called as Strawberry does."""

    of_row = False

    def __init__(self, schema: Schema, field: StrawberryField) -> None:
        resolver = field.base_resolver
        assert resolver is not None
        self.field = field
        self.function: Callable[..., Any] = resolver.wrapped_func  # type: ignore[assignment]
        self.takes_self = resolver.self_parameter is not None
        named = (resolver.parent_parameter, resolver.root_parameter)
        self.source_names = [parameter.name for parameter in named if parameter]
        self.info_name = resolver.info_parameter and resolver.info_parameter.name
        self.info_class = schema.config.info_class
        self.arguments = Arguments(schema, field)

    def __call__(self, run: Run, field: "Field", objects: Column, origin: Origin) -> Column:
        def resolve(index: int) -> Any:
            object = objects[index]
            info = self.info_class(lazy_info(run, field, origin, index), self.field)
            arguments = self.arguments(run, field, info)
            for name in self.source_names:
                arguments[name] = object
            if self.info_name:
                arguments[self.info_name] = info
            return (
                self.function(object, **arguments)
                if self.takes_self
                else self.function(**arguments)
            )

        return each(resolve, range(len(objects)))


class AsGraphQLCore:
    of_row = False

    def __call__(self, run: Run, field: "Field", objects: Column, origin: Origin) -> Column:
        resolver = field.definition.resolve or run.executor.field_resolver

        def resolve(index: int) -> Any:
            info = lazy_info(run, field, origin, index)
            return resolver(objects[index], info, **run.arguments(field))

        return each(resolve, range(len(objects)))


def source_of(definition: GraphQLField, schema: Schema) -> Source:
    field = definition.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
    if not _is_strawberrys(definition, field) or schema.schema_converter.exception_handlers:
        return AsGraphQLCore()
    assert isinstance(field, StrawberryField)
    resolver = field.base_resolver
    source: Source = AsGraphQLCore()
    match field.extensions:
        case [] if not resolver:
            source = OfRow(_attribute(field))
        case [] if resolver and _takes_only_self(field):
            source = OfRow(partial(each, resolver.wrapped_func))  # type: ignore[arg-type]
        case [] if resolver:
            source = Resolver(schema, field)
        case [Derived() as derived] if not resolver:
            source = OfRow(derived.column)
        case [Batched() as batched] if not resolver:
            source = Batch(batched, Arguments(schema, field))
    return source


def _is_strawberrys(definition: GraphQLField, field: object) -> bool:
    """Whether nobody has changed how Strawberry resolves it."""
    return (
        isinstance(field, StrawberryField)
        and type(field).get_result is StrawberryField.get_result
        and getattr(definition.resolve, "__module__", "") == GraphQLCoreConverter.__module__
    )


def _attribute(field: StrawberryField) -> Callable[[Column], Column]:
    read, name = field.default_resolver, field.python_name
    return Attribute(name) if read is getattr else partial(each, lambda source: read(source, name))


def _takes_only_self(field: StrawberryField) -> bool:
    resolver = field.base_resolver
    assert resolver is not None
    others = (resolver.parent_parameter, resolver.root_parameter, resolver.info_parameter)
    return (
        resolver.self_parameter is not None
        and not resolver.is_async
        and not any(others)
        and not field.arguments
    )

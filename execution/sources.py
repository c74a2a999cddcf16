"""Where the values of a field come from, for all objects of a level at once. What is not known to
be simple is resolved as graphql-core would, object by object."""

from collections.abc import Awaitable, Callable, Mapping
from functools import cache, partial
from typing import TYPE_CHECKING, Any, Protocol

from graphql import FieldNode, GraphQLField
from strawberry import Info, Schema
from strawberry.extensions.field_extension import (
    FieldExtension,
    build_field_extension_resolvers,
)
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types.field import StrawberryField
from strawberry.types.fields.resolver import StrawberryResolver

from execution.arguments import Arguments, Signatures
from execution.batched import Batched, Derived, Found, LooksAhead
from execution.reading import Attribute, each
from execution.run import Column, LazyInfo, Run, lazy_info

if TYPE_CHECKING:
    from execution.fields import Field
    from execution.objects import Objects
    from execution.position import Position


class Source(Protocol):
    """Gives the values of a field, or what to await for them."""

    def __call__(
        self, run: Run, field: "Field", objects: "Objects"
    ) -> Column | Awaitable[Column | Found]: ...


class OfRow:
    """An attribute, or a method that takes nothing but its object: the value is the object's own,
    whoever asks."""

    def __init__(self, read: Callable[[Column, set[type]], Column]) -> None:
        self.read = read
        """Given objects and their classes: an Attribute, a Derived, or some function."""

    def __call__(self, run: Run, field: "Field", objects: "Objects") -> Column:  # noqa: ARG002
        return self.read(objects.values, objects.classes)


class Batch:
    __slots__ = ("arguments", "batched", "load")

    def __init__(self, batched: Batched, arguments: Arguments) -> None:
        self.batched = batched
        self.arguments = arguments
        # Unless each object gets a value of its own, those of equal keys are completed as one.
        as_found = type(batched).values is Batched.values
        self.load: Callable[..., Awaitable[Column | Found]] = (
            batched.find if as_found else batched.load_all
        )

    def __call__(
        self, run: Run, field: "Field", objects: "Objects"
    ) -> Column | Awaitable[Column | Found]:
        needs_info = bool(self.arguments.signature.unknown)
        info = lazy_info(run, field, objects.origin_of(field), 0) if needs_info else None
        try:
            arguments = self.arguments(run, field, info)
        except Exception as error:  # noqa: BLE001 - a scalar's parser may raise anything
            return [error] * len(objects.values)
        return self.load(run.executor.context_value, objects.values, arguments)


def arguments_below(info: Info, field: "Field") -> dict[str, Any]:
    """Of a batched field below one that `LooksAhead`, in the execution that it is resolved in.
    Raises what is wrong with them."""
    found: Any = info._raw_info
    assert isinstance(found, LazyInfo)
    assert isinstance(field.source, Batch)
    return field.source.arguments(found.run, field, found)


class Resolver:
    """Called as Strawberry does, through the extensions of its field."""

    def __init__(
        self,
        schema: Schema,
        field: StrawberryField,
        extensions: Mapping[FieldExtension, FieldExtension],
        arguments: Arguments,
    ) -> None:
        """`extensions` stand for those that the field has."""
        resolver = field.base_resolver
        assert resolver is not None
        self.field = field
        self.function: Callable[..., Any] = resolver.wrapped_func  # type: ignore[assignment]
        self.takes_self = resolver.self_parameter is not None
        named = (resolver.parent_parameter, resolver.root_parameter)
        self.source_names = [parameter.name for parameter in named if parameter]
        self.info_name = resolver.info_parameter and resolver.info_parameter.name
        self.info_class = schema.config.info_class
        self.arguments = arguments
        methods: list[Any] = build_field_extension_resolvers(field)
        self.extended = [
            getattr(extensions.get(method.__self__, method.__self__), method.__name__)
            for method in methods
        ]

    def __call__(self, run: Run, field: "Field", objects: "Objects") -> Column:
        origin = objects.origin_of(field)

        def resolve(index: int) -> Any:
            source = objects.values[index]
            info = self.info_class(lazy_info(run, field, origin, index), self.field)
            arguments = self.arguments(run, field, info)
            for extension in self.field.extensions:
                arguments = extension.map_arguments(arguments)
            for name in self.source_names:
                arguments[name] = source
            call: Callable[..., Any] = partial(self._call, source)
            for extended in self.extended:
                call = partial(extended, call)
            return call(source, info, **arguments)

        return each(resolve, range(len(objects.values)))

    def _call(self, source: Any, _: object, info: Any, /, **arguments: Any) -> Any:
        if self.info_name:
            arguments[self.info_name] = info
        return self.function(source, **arguments) if self.takes_self else self.function(**arguments)


class AsGraphQLCore:
    def __call__(self, run: Run, field: "Field", objects: "Objects") -> Column:
        resolver = field.definition.resolve or run.executor.field_resolver
        origin = objects.origin_of(field)

        def resolve(index: int) -> Any:
            info = lazy_info(run, field, origin, index)
            return resolver(objects.values[index], info, **run.arguments(field))

        return each(resolve, range(len(objects.values)))


def source_of(
    definition: GraphQLField, node: FieldNode, signatures: Signatures, position: "Position"
) -> Source:
    """Of a field whose values fill `position`."""
    schema = signatures.schema
    field = definition.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
    if not _is_strawberrys(definition, field) or schema.schema_converter.exception_handlers:
        return AsGraphQLCore()
    assert isinstance(field, StrawberryField)
    resolver = field.base_resolver
    extensions = {each: _looking_ahead(each, position) for each in field.extensions}
    source: Source = AsGraphQLCore()
    match list(extensions.values()):
        case [] if not resolver:
            source = OfRow(_attribute(field))
        case [] if resolver and _takes_only_self(field):
            source = OfRow(_of_each(resolver.wrapped_func))  # type: ignore[arg-type]
        case [Derived() as derived] if not resolver:
            source = OfRow(derived)
        case [Batched() as batched] if not resolver:
            source = Batch(batched, signatures.arguments(field, definition, node))
        case _ if resolver and not (extensions and _names_info_otherwise(resolver)):
            arguments = signatures.arguments(field, definition, node)
            source = Resolver(schema, field, extensions, arguments)
    return source


def _looking_ahead(extension: FieldExtension, position: "Position") -> FieldExtension:
    return extension.looking_ahead(position) if isinstance(extension, LooksAhead) else extension


def _names_info_otherwise(resolver: StrawberryResolver[Any]) -> bool:
    """Extensions get it as an argument too then."""
    return resolver.info_parameter is not None and resolver.info_parameter.name != "info"


def _is_strawberrys(definition: GraphQLField, field: object) -> bool:
    """Whether nobody has changed how Strawberry resolves it."""
    return (
        isinstance(field, StrawberryField)
        and type(field).get_result is StrawberryField.get_result
        and getattr(definition.resolve, "__module__", "") == GraphQLCoreConverter.__module__
    )


def _attribute(field: StrawberryField) -> Callable[[Column, set[type]], Column]:
    read, name = field.default_resolver, field.python_name
    return _named(name) if read is getattr else _of_each(lambda source: read(source, name))


_named = cache(Attribute)


def _of_each(function: Callable[[Any], Any]) -> Callable[[Column, set[type]], Column]:
    return lambda objects, _: each(function, objects)


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

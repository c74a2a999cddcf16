"""Python values of arguments, as Strawberry makes them (`convert_argument`). What follows from
their types, which it finds out anew for each value, is found out once."""

from collections.abc import Callable
from dataclasses import MISSING
from typing import Any

from strawberry import UNSET, Schema
from strawberry.relay import GlobalID
from strawberry.scalars import is_scalar
from strawberry.types.base import (
    StrawberryList,
    StrawberryMaybe,
    StrawberryOptional,
    has_object_definition,
)
from strawberry.types.enum import StrawberryEnumDefinition
from strawberry.types.lazy_type import LazyType

Convert = Callable[[Any], Any]


class Unknown(Exception):
    """The type is left to Strawberry."""


class Converters:
    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self.name_of = schema.config.name_converter.from_field
        self.scalars = schema.schema_converter.scalar_registry
        self._inputs: dict[type, InputObject] = {}

    def of(self, annotation: Any) -> Convert:
        """Raises Unknown."""
        made_before = self._inputs.copy()
        try:
            return self._of(annotation)
        except Unknown:
            self._inputs = made_before  # without those that were not finished
            raise

    def _of(self, annotation: Any) -> Convert:
        if isinstance(annotation, LazyType):
            return self._of(annotation.resolve_type())
        if isinstance(annotation, StrawberryMaybe) or annotation is GlobalID:
            raise Unknown
        if isinstance(annotation, StrawberryOptional):
            return self._of(annotation.of_type)
        if isinstance(annotation, StrawberryList):
            return _of_list(self._of(annotation.of_type))
        if isinstance(annotation, StrawberryEnumDefinition) or is_scalar(annotation, self.scalars):
            return unchanged
        if not has_object_definition(annotation):
            raise Unknown
        return self._inputs.get(annotation) or self._of_input(annotation)

    def _of_input(self, cls: Any) -> Convert:
        definition = cls.__strawberry_definition__
        if definition.from_input is not None or not definition.is_input:
            raise Unknown
        # Known before its fields are: one of them may be of the same type.
        made = self._inputs[cls] = InputObject(cls)
        for field in definition.fields:
            if field.default_value is MISSING and field.default_factory is MISSING:
                made.defaults[field.python_name] = None
            convert = self._of(field.resolve_type(type_definition=definition))
            made.fields.append((self.name_of(field), field.python_name, convert))
        return made


class InputObject:
    def __init__(self, cls: type) -> None:
        self.cls = cls
        self.defaults: dict[str, Any] = {}
        self.fields: list[tuple[str, str, Convert]] = []

    def __call__(self, value: Any) -> Any:
        if value is None or value is UNSET:
            return value
        values = self.defaults.copy()
        for name, python_name, convert in self.fields:
            if name in value:
                values[python_name] = convert(value[name])
        return self.cls(**values)


def unchanged(value: Any) -> Any:
    return value


def _of_list(convert: Convert) -> Convert:
    def of_list(values: Any) -> Any:
        return values if values is None or values is UNSET else list(map(convert, values))

    return of_list

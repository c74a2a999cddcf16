"""Scalars and enums, a column at a time. Values of exactly the class that a scalar is meant for
are written together; it is asked value by value for all others."""

from collections.abc import Callable, Mapping
from math import isfinite
from types import NoneType
from typing import TYPE_CHECKING, NamedTuple

from graphql import (
    GraphQLBoolean,
    GraphQLFloat,
    GraphQLID,
    GraphQLInt,
    GraphQLLeafType,
    GraphQLOutputType,
    GraphQLString,
)
from strawberry.schema.schema_converter import CustomGraphQLEnumType

from execution.origin import Origin
from execution.position import Pending, Position
from execution.run import Column, Run

if TYPE_CHECKING:
    from execution.fields import Field


class Writer(NamedTuple):
    """Writes values of exactly these classes, with None among them for null. It may raise, and
    must give what the scalar's own `serialize` gives, value by value."""

    classes: frozenset[type]
    write: Callable[[Column], Column]


def as_it_is(column: Column) -> Column:
    return column


def _in_32_bits(column: Column) -> Column:
    numbers = [value for value in column if value is not None]
    if numbers and not -(2**31) <= min(numbers) <= max(numbers) < 2**31:
        raise OverflowError
    return column


def _finite(column: Column) -> Column:
    if not all(value is None or isfinite(value) for value in column):
        raise OverflowError
    return column


BUILT_IN: Mapping[GraphQLLeafType, Writer] = {
    GraphQLString: Writer(frozenset({str}), as_it_is),
    GraphQLID: Writer(frozenset({str}), as_it_is),
    GraphQLBoolean: Writer(frozenset({bool}), as_it_is),
    GraphQLInt: Writer(frozenset({int}), _in_32_bits),
    GraphQLFloat: Writer(frozenset({float}), _finite),
}


def writer_of(leaf: GraphQLLeafType, own: Mapping[str, Writer]) -> Writer | None:
    """`own` are those of the schema's scalars, by name."""
    if isinstance(leaf, CustomGraphQLEnumType):
        return _by_value(leaf)
    return BUILT_IN.get(leaf) or own.get(leaf.name)


def _by_value(enum: CustomGraphQLEnumType) -> Writer:
    """Of an enum's values as a database gives them: plain strings."""
    values = [value.value for value in enum.values.values()]
    names: dict[str | None, str | None] = {None: None}
    for value in values:
        if type(value) is str:
            names[value] = enum.coerce_output_value(value)
    return Writer(frozenset({str}), lambda column: list(map(names.__getitem__, column)))


class LeafPosition(Position):
    def __init__(
        self,
        type: GraphQLOutputType,
        field: "Field",
        leaf: GraphQLLeafType,
        writer: Writer | None,
    ) -> None:
        super().__init__(type, field)
        self.leaf = leaf
        self.write = writer.write if writer else None
        self.classes = writer.classes if writer else frozenset()
        if self.nullable:
            self.classes |= {NoneType}

    def written(self, column: Column, classes: set[type]) -> Column | None:
        if self.write is None or not classes <= self.classes:
            return None
        try:
            return self.write(column)
        except Exception:  # noqa: BLE001 - the scalar itself tells what is wrong
            return None

    def complete(
        self, run: Run, column: Column, classes: set[type], origin: Origin
    ) -> Column | Pending:
        written = self.written(column, classes)
        return super().complete(run, column, classes, origin) if written is None else written

    def of_plain(self, run: Run, column: Column, _: set[type], origin: Origin) -> Column:
        complete, results = run.executor.complete_leaf_value, []
        for index, value in enumerate(column):
            try:
                results.append(complete(self.leaf, value))
            except Exception as error:  # noqa: BLE001 - a scalar may raise anything
                results.append(run.failure(error, self.field, origin, index))
        return self.absorbed(run, results, origin)

"""Interfaces and unions: each value says which object type it is of."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from graphql import GraphQLAbstractType, GraphQLError, GraphQLOutputType

from execution.kinds import KINDS, Foreign, Kind
from execution.objects import ObjectPosition
from execution.origin import Chosen, Origin
from execution.position import Pending, Position, Sifted, collected
from execution.run import Column, Run, lazy_info
from execution.types import answers

if TYPE_CHECKING:
    from execution.fields import Field


class AbstractPosition(Position):
    def __init__(
        self,
        type: GraphQLOutputType,
        field: "Field",
        abstract: GraphQLAbstractType,
        possible: Mapping[str, ObjectPosition],
    ) -> None:
        super().__init__(type, field)
        self.abstract = abstract
        self.possible = possible
        self.selections = [object.selection for object in possible.values()]

    def of_plain(
        self, run: Run, column: Column, classes: set[type], origin: Origin
    ) -> Column | Pending:
        resolve_type = self.abstract.resolve_type or run.executor.type_resolver
        names = answers(resolve_type, run, self.field, column, classes, origin, self.abstract)
        if all(isinstance(name, str) and name in self.possible for name in names):
            return Variants(self, run, column, names, origin)
        checked = [
            self._checked(run, value, name, lazy_info(run, self.field, origin, index))
            for index, (value, name) in enumerate(zip(column, names, strict=True))
        ]

        def complete(run: Run, column: Column, _: set[type], chosen: Origin) -> Pending:
            assert isinstance(chosen, Chosen)
            return Variants(self, run, column, [names[index] for index in chosen.indexes], chosen)

        return Sifted(self, run, checked, origin, complete)

    def _checked(self, run: Run, value: Any, name: Any, info: Any) -> Any:
        kind = KINDS[type(name)]
        if kind is Kind.ERROR:
            return name
        if kind in (Kind.AWAITABLE, Kind.UNSURE):
            return Foreign(value)
        try:
            run.executor.ensure_valid_runtime_type(
                name, self.abstract, self.field.details, info, value
            )
        except GraphQLError as error:
            return error
        return value


class Variants:
    """The values of each object type are completed together."""

    def __init__(
        self, position: AbstractPosition, run: Run, column: Column, names: list[str], origin: Origin
    ) -> None:
        self.length = len(column)
        places: dict[str, list[int]] = {}
        for index, name in enumerate(names):
            places.setdefault(name, []).append(index)
        self.variants = [
            (indexes, _variant(position.possible[name], run, column, indexes, origin))
            for name, indexes in places.items()
        ]

    def collect(self, run: Run) -> Column:
        column: Column = [None] * self.length
        for indexes, variant in self.variants:
            for index, value in zip(indexes, collected(variant, run), strict=True):
                column[index] = value
        return column


def _variant(
    position: ObjectPosition, run: Run, column: Column, indexes: list[int], origin: Origin
) -> Column | Pending:
    values = [column[index] for index in indexes]
    return position.of_plain(run, values, set(map(type, values)), Chosen(origin, indexes))

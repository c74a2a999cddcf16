"""What a field, or an item of a list, may be: CompleteValue() of the specification, for a column
of values at once. Anything unusual is left to graphql-core, value by value."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from graphql import GraphQLOutputType, is_non_null_type

from execution.batched import Found
from execution.kinds import KINDS, Kind
from execution.origin import Chosen, Origin
from execution.run import Column, Failure, Run, Waiting

if TYPE_CHECKING:
    from execution.fields import Field
    from execution.objects import Selection


class Pending(Protocol):
    """A column that waits for levels below."""

    def collect(self, run: Run) -> Column:
        """To be asked once, when all levels are through. A Failure stands where nothing may be."""


def collected(column: Column | Pending, run: Run) -> Column:
    return column if isinstance(column, list) else column.collect(run)


class Position:
    selections: Sequence["Selection"] = ()
    """What is asked of the objects that may be here, by their types."""

    def __init__(self, type: GraphQLOutputType, field: "Field") -> None:
        self.type = type
        self.nullable = not is_non_null_type(type)
        self.field = field

    def complete(
        self, run: Run, column: Column, classes: set[type], origin: Origin
    ) -> Column | Pending:
        """`classes` are those of the column's values."""
        if KINDS.are_plain(classes):
            return self.of_plain(run, column, classes, origin)
        return Sifted(self, run, column, origin, self.of_plain)

    def written(self, column: Column, classes: set[type]) -> Column | None:  # noqa: ARG002
        """The answers, if all of them can be written together."""
        return None

    def of_found(self, run: Run, found: Found, origin: Origin) -> Column | Pending:
        column = found.column()
        return self.complete(run, column, set(map(type, column)), origin)

    def of_plain(
        self, run: Run, column: Column, classes: set[type], origin: Origin
    ) -> Column | Pending:
        """Of values that are neither null nor errors nor to be awaited."""
        raise NotImplementedError

    def absorbed(self, run: Run, column: Column, origin: Origin) -> Column:
        """Failures end here, if this may be null."""
        if run.failed and self.nullable:
            for index, value in enumerate(column):
                if value.__class__ is Failure:
                    run.record(value, origin, index)
                    column[index] = None
        return column


class Sifted:
    """A column that has more in it than plain values, which `complete` is given alone."""

    def __init__(
        self,
        position: Position,
        run: Run,
        column: Column,
        origin: Origin,
        complete: Callable[[Run, Column, set[type], Origin], Column | Pending],
    ) -> None:
        self.position = position
        self.origin = origin
        self.column: Column = [None] * len(column)
        self.foreign: list[int] = []
        self.plain: list[int] = []
        for index, value in enumerate(column):
            self._sift(run, index, value)
        values = [column[index] for index in self.plain]
        self.rest = complete(run, values, set(map(type, values)), Chosen(origin, self.plain))

    def _sift(self, run: Run, index: int, value: Any) -> None:
        match KINDS[type(value)]:
            case Kind.NULL:
                if not self.position.nullable:
                    field = self.position.field
                    self._fail(
                        run, index, TypeError(f"Cannot return null for non-nullable field {field}.")
                    )
            case Kind.ERROR:
                self._fail(run, index, value)
            case Kind.FOREIGN:
                self._delegate(run, index, value.value)
            case Kind.AWAITABLE | Kind.UNSURE if run.executor.is_awaitable(value):
                self._delegate(run, index, value)
            case _:
                self.plain.append(index)

    def _fail(self, run: Run, index: int, error: Exception) -> None:
        self.column[index] = run.failure(error, self.position.field, self.origin, index)

    def _delegate(self, run: Run, index: int, value: Any) -> None:
        self.foreign.append(index)
        completion = _by_graphql_core(self.position, run, value, self.origin, index)
        run.waiting.append(Waiting(self.column, index, completion))

    def collect(self, run: Run) -> Column:
        for index in self.foreign:
            if isinstance(error := self.column[index], Exception):
                self._fail(run, index, error)
        for index, value in zip(self.plain, collected(self.rest, run), strict=True):
            self.column[index] = value
        return self.position.absorbed(run, self.column, self.origin)


async def _by_graphql_core(
    position: Position, run: Run, value: Any, origin: Origin, index: int
) -> Any:
    executor, field = run.executor, position.field
    if executor.is_awaitable(value):
        value = await value
    path = origin.path(index)
    assert path is not None
    info = run.info(field, origin, index)
    completed = executor.complete_value(position.type, field.details, info, path, value, None)
    return await completed if executor.is_awaitable(completed) else completed

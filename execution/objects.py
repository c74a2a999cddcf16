"""Objects of one type at one position of the query: a level has few of these, each of many rows."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from graphql import GraphQLObjectType, GraphQLOutputType
from graphql.execution.executor import invalid_return_type_error

from execution.kinds import KINDS, Foreign, Kind
from execution.leaves import LeafPosition
from execution.origin import OfField, Origin
from execution.position import Pending, Position, Sifted, collected
from execution.run import Column, Failure, Run, Waiting
from execution.sources import Batch
from execution.types import answers

if TYPE_CHECKING:
    from execution.fields import Field


class Selection:
    """What is asked of a type: `keys` of the response, in order, and `fields` for all of them that
    are not __typename."""

    def __init__(
        self, type: GraphQLObjectType, fields: Sequence["Field"], keys: Sequence[str]
    ) -> None:
        self.type = type
        self.fields = fields
        self.rows = _rows(type, [field.key for field in fields], keys)
        self.shareable = all(
            field.source.of_row and isinstance(field.position, LeafPosition) for field in fields
        )
        """Whether equal rows have equal answers, without a level below."""


def _rows(
    type: GraphQLObjectType, fields: Sequence[str], keys: Sequence[str]
) -> Callable[[Sequence[Column], int], Column]:
    """A function that makes the objects of a response from columns. Written as source since that is
    three times as fast; the only parts of it that a client chose are the reprs of names."""
    variables = {key: f"v{n}" for n, key in enumerate(fields)}
    entries = [f"{key!r}: {variables.get(key, repr(type.name))}" for key in keys]
    unpacked = "".join(f"{name}, " for name in variables.values())
    loop = f"for {unpacked}in zip(*columns)" if fields else "for _ in range(length)"
    source = f"lambda columns, length: [{{{', '.join(entries)}}} {loop}]"
    rows: Callable[[Sequence[Column], int], Column] = eval(source, {})  # noqa: S307
    return rows


class ObjectPosition(Position):
    def __init__(self, type: GraphQLOutputType, field: "Field", selection: Selection) -> None:
        super().__init__(type, field)
        self.selection = selection

    def of_plain(
        self, run: Run, column: Column, classes: set[type], origin: Origin
    ) -> Column | Pending:
        is_type_of = self.selection.type.is_type_of
        if is_type_of is None:
            return self.of_checked(run, column, classes, origin)
        said = answers(is_type_of, run, self.field, column, classes, origin)
        if said.count(True) == len(column):
            return self.of_checked(run, column, classes, origin)
        checked = list(map(self._checked, column, said))
        return Sifted(self, run, checked, origin, self.of_checked)

    def _checked(self, value: Any, answer: Any) -> Any:
        kind = KINDS[type(answer)]
        if kind is Kind.ERROR:
            return answer
        if kind in (Kind.AWAITABLE, Kind.UNSURE):
            return Foreign(value)
        if answer:
            return value
        return invalid_return_type_error(self.selection.type, value, self.field.details)

    def of_checked(
        self, run: Run, column: Column, _: set[type], origin: Origin
    ) -> Column | Pending:
        if not column:
            return []
        if self.selection.shareable and isinstance(self.field.source, Batch):
            shared = self._shared(run, column, origin)
            if shared is not None:
                return shared
        objects = Objects(self.selection, column, origin, self)
        run.level.append(objects)
        return objects

    def _shared(self, run: Run, column: Column, origin: Origin) -> Column | None:
        """When many edges lead to few rows, each row is written once."""
        keys = list(map(id, column))
        distinct = dict(zip(keys, column, strict=True))
        if len(distinct) * 2 > len(keys):
            return None
        columns, rows = [], list(distinct.values())
        for field in self.selection.fields:
            assert isinstance(field.position, LeafPosition)
            values = field.source(run, field, rows, origin)
            assert isinstance(values, list)
            written = field.position.written(values, set(map(type, values)))
            if written is None:
                return None
            columns.append(written)
        answers = dict(zip(distinct, self.selection.rows(columns, len(rows)), strict=True))
        return list(map(answers.__getitem__, keys))


class Objects:
    def __init__(
        self,
        selection: Selection,
        objects: Column,
        origin: Origin,
        position: Position | None = None,
    ) -> None:
        self.selection = selection
        self.objects = objects
        self.origin = origin
        self.position = position
        self.origins: list[Origin] = []
        self.columns: list[Any] = []
        """Of each field: the values, then the answers or what is pending of them."""
        self.classes: list[set[type] | None] = []

    def start(self, run: Run) -> None:
        """Asks all fields."""
        name = self.selection.type.name
        for number, field in enumerate(self.selection.fields):
            origin = OfField(self.origin, field.key, name)
            column = field.source(run, field, self.objects, origin)
            classes: set[type] | None = None
            if isinstance(column, list):
                classes = set(map(type, column))
                if not KINDS.are_plain(classes) and self._wait(run, column):
                    classes = None
            else:
                run.waiting.append(Waiting(self.columns, number, column))
            self.origins.append(origin)
            self.columns.append(column)
            self.classes.append(classes)

    def _wait(self, run: Run, column: Column) -> bool:
        """For all in the column that can be awaited."""
        before = len(run.waiting)
        for index, value in enumerate(column):
            kind = KINDS[type(value)]
            if kind in (Kind.AWAITABLE, Kind.UNSURE) and run.executor.is_awaitable(value):
                run.waiting.append(Waiting(column, index, value))
        return len(run.waiting) > before

    def finish(self, run: Run) -> None:
        """Completes what the fields gave, which may lead to a further level."""
        for number, field in enumerate(self.selection.fields):
            column, classes = self.columns[number], self.classes[number]
            if isinstance(column, Exception):
                column = [column] * len(self.objects)
            if classes is None:
                classes = set(map(type, column))
            self.columns[number] = field.position.complete(
                run, column, classes, self.origins[number]
            )

    def collect(self, run: Run) -> Column:
        columns = [collected(column, run) for column in self.columns]
        rows = self.selection.rows(columns, len(self.objects))
        if run.failed:
            for field, column in zip(self.selection.fields, columns, strict=True):
                if not field.position.nullable:
                    _fail(rows, column)
        return self.position.absorbed(run, rows, self.origin) if self.position else rows


def _fail(rows: Column, column: Column) -> None:
    """An object fails with the first of its fields that did."""
    for index, value in enumerate(column):
        if value.__class__ is Failure and rows[index].__class__ is not Failure:
            rows[index] = value

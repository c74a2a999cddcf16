"""Objects of one type at one position of the query: a level has few of these, each of many rows."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from graphql import GraphQLObjectType, GraphQLOutputType
from graphql.execution.executor import invalid_return_type_error

from execution.batched import Found
from execution.kinds import KINDS, LATER, Foreign, Kind
from execution.leaves import LeafPosition
from execution.origin import OfField, Origin
from execution.position import Pending, Position, Sifted, collected
from execution.run import Column, Failure, Run, Waiting
from execution.sources import OfRow
from execution.types import answers, is_by_class

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
        self.keys = keys
        self.rows = _rows(type, [field.key for field in fields], keys)
        self.is_of_rows = all(isinstance(field.source, OfRow) for field in fields)
        """Whether the objects themselves have all that is asked of them."""
        self.is_flat = self.is_of_rows and all(
            isinstance(field.position, LeafPosition) for field in fields
        )

    def written(self, objects: Column, classes: set[type]) -> Column | None:
        """Of a flat selection the answers, if all can be written together."""
        columns = []
        for field in self.fields:
            assert isinstance(field.source, OfRow)
            values = field.source.read(objects, classes)
            written = field.position.written(values, set(map(type, values)))
            if written is None:
                return None
            columns.append(written)
        return self.rows(columns, len(objects))


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


def written_answers(classes: set[type]) -> Callable[[Column], Column] | None:
    """What makes answers of objects that are asked nothing more: a field that `LooksAhead` may give
    such, which have what a plan asks of them. It is an attribute of their class."""
    found = {getattr(cls, "written_answers", None) for cls in classes}
    return found.pop() if len(found) == 1 else None


class ObjectPosition(Position):
    known: frozenset[type] = frozenset()
    """Classes whose instances are of the type."""

    def __init__(self, type: GraphQLOutputType, field: "Field", selection: Selection) -> None:
        super().__init__(type, field)
        self.selection = selection
        self.selections = (selection,)
        self.is_type_of = selection.type.is_type_of

    def are_known(self, classes: set[type]) -> bool:
        return self.is_type_of is None or classes <= self.known

    def of_plain(
        self, run: Run, column: Column, classes: set[type], origin: Origin
    ) -> Column | Pending:
        if write := written_answers(classes):
            return write(column)
        if self.are_known(classes):
            return self.of_checked(run, column, classes, origin)
        assert self.is_type_of is not None
        said = answers(self.is_type_of, run, self.field, column, classes, origin)
        if said.count(True) == len(column):
            if is_by_class(self.is_type_of):
                self.known |= classes
            return self.of_checked(run, column, classes, origin)
        checked = list(map(self._checked, column, said))
        return Sifted(self, run, checked, origin, self.of_checked)

    def _checked(self, value: Any, answer: Any) -> Any:
        kind = KINDS[type(answer)]
        if kind is Kind.ERROR:
            return answer
        if kind in LATER:
            return Foreign(value)
        if answer:
            return value
        return invalid_return_type_error(self.selection.type, value, self.field.details)

    def of_checked(
        self, run: Run, column: Column, classes: set[type], origin: Origin
    ) -> Column | Pending:
        if not column:
            return []
        objects = Objects(self.selection, column, classes, origin, self)
        if self.selection.is_of_rows:
            objects.start(run)
        else:
            run.level.append(objects)
        return objects

    def of_found(self, run: Run, found: Found, origin: Origin) -> Column | Pending:
        answers = self._written(found.by_key) if self.selection.is_flat else None
        if answers is None:
            return super().of_found(run, found, origin)
        return list(map(answers.__getitem__, found.keys))

    def _written(self, by_key: dict[Any, Any]) -> dict[Any, Any] | None:
        """Each row once, however many edges lead to it."""
        rows = [row for row in by_key.values() if row is not None]
        classes = set(map(type, rows))
        if not (KINDS.are_plain(classes) and self.are_known(classes)):
            return None
        if len(rows) < len(by_key) and not self.nullable:
            return None
        written = self.selection.written(rows, classes)
        if written is None:
            return None
        answers = iter(written)
        return {key: None if row is None else next(answers) for key, row in by_key.items()}


class Objects:
    def __init__(
        self,
        selection: Selection,
        values: Column,
        classes: set[type],
        origin: Origin,
        position: Position | None = None,
    ) -> None:
        self.selection = selection
        self.values = values
        self.classes = classes
        self.origin = origin
        self.position = position
        self.columns: list[Any] = []
        """Of each field: the answers or what is pending of them; the values, as long as some of
        them are awaited."""
        self.awaited: list[int] = []
        """The columns of these."""

    def origin_of(self, field: "Field") -> Origin:
        return OfField(self.origin, field.key, self.selection.type.name)

    def start(self, run: Run) -> None:
        """Asks all fields, and completes what is there; both may lead to a further level."""
        columns = self.columns
        for number, field in enumerate(self.selection.fields):
            column = field.source(run, field, self)
            if isinstance(column, list):
                classes = set(map(type, column))
                written = field.position.written(column, classes)
                if written is not None:
                    columns.append(written)
                    continue
                if KINDS.are_there(classes) or not self._wait(run, column):
                    origin = self.origin_of(field)
                    columns.append(field.position.complete(run, column, classes, origin))
                    continue
            else:
                run.waiting.append(Waiting(columns, number, column))
            columns.append(column)
            self.awaited.append(number)
        if self.awaited:
            run.started.append(self)

    def _wait(self, run: Run, column: Column) -> bool:
        """For all in the column that can be awaited."""
        before = len(run.waiting)
        for index, value in enumerate(column):
            if KINDS[type(value)] in LATER and run.executor.is_awaitable(value):
                run.waiting.append(Waiting(column, index, value))
        return len(run.waiting) > before

    def finish(self, run: Run) -> None:
        """Completes what was awaited."""
        for number in self.awaited:
            field, column = self.selection.fields[number], self.columns[number]
            origin = self.origin_of(field)
            if isinstance(column, Found):
                self.columns[number] = field.position.of_found(run, column, origin)
                continue
            if isinstance(column, Exception):
                column = [column] * len(self.values)
            classes = set(map(type, column))
            self.columns[number] = field.position.complete(run, column, classes, origin)

    def collect(self, run: Run) -> Column:
        columns = [collected(column, run) for column in self.columns]
        rows = self.selection.rows(columns, len(self.values))
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

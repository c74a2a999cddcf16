"""Lists: the items of all of them are completed as one column."""

from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from graphql import GraphQLError, GraphQLOutputType
from graphql.pyutils import is_async_iterable, is_iterable

from execution.kinds import Foreign
from execution.origin import OfLists, Origin
from execution.position import Pending, Position, Sifted, collected
from execution.run import Column, Failure, Run

if TYPE_CHECKING:
    from execution.fields import Field

LISTS = {list, tuple}


class ListPosition(Position):
    def __init__(self, type: GraphQLOutputType, field: "Field", item: Position) -> None:
        super().__init__(type, field)
        self.item = item
        self.selections = item.selections

    def of_plain(self, run: Run, column: Column, classes: set[type], origin: Origin) -> Pending:
        if classes <= LISTS:
            return Lists(self, run, column, origin)
        return Sifted(self, run, list(map(self._listed, column)), origin, self.of_plain)

    def _listed(self, value: Any) -> Any:
        """A list, or why it is none."""
        if is_async_iterable(value):  # it may have no end that it can be read to
            return Foreign(value)
        if not is_iterable(value):
            return GraphQLError(
                f"Expected Iterable, but did not find one for field '{self.field}'."
            )
        try:
            return list(value)
        except Exception as error:  # noqa: BLE001 - whatever a generator raises
            return error


class Lists:
    def __init__(self, position: ListPosition, run: Run, lists: Column, origin: Origin) -> None:
        self.position = position
        self.origin = origin
        self.lengths = list(map(len, lists))
        items = list(chain.from_iterable(lists))
        self.items = position.item.complete(
            run, items, set(map(type, items)), OfLists(origin, self.lengths)
        )

    def collect(self, run: Run) -> Column:
        items = iter(collected(self.items, run))
        lists: Column = [list(islice(items, length)) for length in self.lengths]
        if run.failed and not self.position.item.nullable:
            for index, items_of_list in enumerate(lists):
                failures = (item for item in items_of_list if item.__class__ is Failure)
                lists[index] = next(failures, items_of_list)
        return self.position.absorbed(run, lists, self.origin)

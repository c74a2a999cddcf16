"""Where the objects of a level come from. A path is put together only for who asks: an error, or
a resolver. Each origin knows how its places follow from those of the level above."""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import Protocol

from graphql.pyutils import Path


class Origin(Protocol):
    def path(self, index: int) -> Path | None: ...


class Root:
    __slots__ = ()

    def path(self, index: int) -> None:  # noqa: ARG002
        return None


class OfField:
    """The values of a field, one for each object."""

    __slots__ = ("above", "key", "type_name")

    def __init__(self, above: Origin, key: str, type_name: str) -> None:
        self.above = above
        self.key = key
        self.type_name = type_name

    def path(self, index: int) -> Path:
        return Path(self.above.path(index), self.key, self.type_name)


class OfLists:
    """The items of lists, one list after the other."""

    __slots__ = ("above", "lengths", "starts")

    def __init__(self, above: Origin, lengths: Sequence[int]) -> None:
        self.above = above
        self.lengths = lengths
        self.starts: list[int] = []

    def path(self, index: int) -> Path:
        self.starts = self.starts or [0, *accumulate(self.lengths)]
        # The last list that starts here or before: those without items start there too.
        parent = bisect_right(self.starts, index) - 1
        return Path(self.above.path(parent), index - self.starts[parent], None)


class Chosen:
    """Some of the places above."""

    __slots__ = ("above", "indexes")

    def __init__(self, above: Origin, indexes: Sequence[int]) -> None:
        self.above = above
        self.indexes = indexes

    def path(self, index: int) -> Path | None:
        return self.above.path(self.indexes[index])

"""What a resolver gave, told by its class."""

from enum import Enum, auto
from types import CoroutineType, GeneratorType, NoneType

from graphql.pyutils import Undefined

from execution.reading import is_keyed


class Kind(Enum):
    PLAIN = auto()
    NULL = auto()
    ERROR = auto()
    AWAITABLE = auto()
    UNSURE = auto()
    """Only the instance can tell whether it is awaitable."""

    FOREIGN = auto()


LATER = (Kind.AWAITABLE, Kind.UNSURE)


class Foreign:
    """A value that graphql-core is to complete."""

    __slots__ = ("value",)

    def __init__(self, value: object) -> None:
        self.value = value


class Kinds(dict[type, Kind]):
    """By class."""

    def __init__(self) -> None:
        self[Foreign] = Kind.FOREIGN
        self[NoneType] = self[type(Undefined)] = Kind.NULL
        self.plain: set[type] = set()
        self.there = set(self)
        """Nobody has to wait for these."""

    def __missing__(self, cls: type) -> Kind:
        kind = self[cls] = _kind(cls)
        if kind is Kind.PLAIN:
            self.plain.add(cls)
        if kind not in LATER:
            self.there.add(cls)
        return kind

    def are_plain(self, classes: set[type]) -> bool:
        return classes <= self.plain or all(self[cls] is Kind.PLAIN for cls in classes)

    def are_there(self, classes: set[type]) -> bool:
        return classes <= self.there or all(self[cls] not in LATER for cls in classes)


def _kind(cls: type) -> Kind:
    if issubclass(cls, Exception):
        return Kind.ERROR
    if issubclass(cls, CoroutineType) or hasattr(cls, "__await__"):
        return Kind.AWAITABLE
    if issubclass(cls, GeneratorType) or (hasattr(cls, "__getattr__") and not is_keyed(cls)):
        return Kind.UNSURE
    return Kind.PLAIN


KINDS = Kinds()

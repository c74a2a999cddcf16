"""How values are read off many objects at once."""

from collections.abc import Callable, Sequence
from operator import attrgetter, itemgetter
from typing import Any

Getter = Callable[[Any], Any]


def each(function: Getter, objects: Sequence[Any]) -> list[Any]:
    """Its results, each called once; an exception stands for the value that it prevented."""
    results: list[Any] = []
    calls = map(function, objects)
    while len(results) < len(objects):
        try:
            results.extend(calls)
        except Exception as error:  # noqa: BLE001 - whatever a resolver raises
            results.append(error)
        else:
            if len(results) < len(objects):  # the function raised it, and so ended the iteration
                results.append(StopIteration())
    return results


def is_keyed(cls: type) -> bool:
    """Whether keys of the instances are their attributes, where the class has none of that name.
    A class says so by an attribute `is_keyed`: to read by key is several times faster than by
    `__getattr__`."""
    return bool(getattr(cls, "is_keyed", False))


class Attribute:
    """Reads `name`, as getattr does."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.by_attribute = attrgetter(name)
        self.by_key = itemgetter(name)
        self._by_class: dict[type, Getter] = {}

    def getter(self, objects: Sequence[Any], classes: set[type] | None = None) -> Getter:
        """For these objects, of these classes. It may raise something else than getattr."""
        getters = set(map(self.of_class, set(map(type, objects)) if classes is None else classes))
        return getters.pop() if len(getters) == 1 else self.by_attribute

    def of_class(self, cls: type) -> Getter:
        getter = self._by_class.get(cls)
        if getter is None:
            keyed = is_keyed(cls) and not hasattr(cls, self.name)
            getter = self._by_class[cls] = self.by_key if keyed else self.by_attribute
        return getter

    def __call__(self, objects: Sequence[Any], classes: set[type] | None = None) -> list[Any]:
        """Of each object the value, or what getattr raises."""
        try:
            return list(map(self.getter(objects, classes), objects))
        except Exception:  # noqa: BLE001 - of one of them
            return each(self.by_attribute, objects)

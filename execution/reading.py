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
        self.keyed: set[type] = set()
        """Of which the key can be nothing but the attribute."""

    def getter(self, objects: Sequence[Any], classes: set[type] | None = None) -> Getter:
        """For these objects, of these classes. It may raise something else than getattr."""
        if classes is None:
            classes = set(map(type, objects))
        if not classes <= self.keyed:
            if not all(is_keyed(cls) and not hasattr(cls, self.name) for cls in classes):
                return self.by_attribute
            self.keyed |= classes
        return self.by_key

    def __call__(self, objects: Sequence[Any], classes: set[type] | None = None) -> list[Any]:
        """Of each object the value, or what getattr raises."""
        keyed = classes is not None and classes <= self.keyed
        try:
            return list(map(self.by_key if keyed else self.getter(objects, classes), objects))
        except Exception:  # noqa: BLE001 - of one of them
            return each(self.by_attribute, objects)

"""Fields that are answered for all objects of a level at once."""

from collections.abc import Awaitable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from strawberry import Info
from strawberry.extensions import FieldExtension

from execution.reading import Attribute, each

if TYPE_CHECKING:
    from execution.position import Position


class LooksAhead(FieldExtension):
    """Of a field that may find what is asked of its values along with them."""

    def looking_ahead(self, position: "Position") -> Self:
        """As it is in a plan that asks for this."""
        raise NotImplementedError


class Derived(FieldExtension):
    """Of a field without a resolver, whose value follows from the object alone."""

    def values(self, objects: Sequence[Any]) -> list[Any]:
        """Of each object, in their order. Raises when it cannot tell one of them."""
        raise NotImplementedError

    def value(self, object: Any) -> Any:
        (value,) = self.values([object])
        return value

    def __call__(self, objects: Sequence[Any], _: object = None) -> list[Any]:
        """As `values`, with the error of an object in its place."""
        try:
            return self.values(objects)
        except Exception:  # noqa: BLE001 - of one of them
            return each(self.value, objects)

    def resolve(self, next_: object, source: Any, info: object, **_: object) -> Any:  # noqa: ARG002
        """As graphql-core asks, object by object."""
        return self.value(source)


class Found(NamedTuple):
    """A column of which many values may be the same: each is in it for its key."""

    keys: list[Any]
    by_key: dict[Any, Any]

    def column(self) -> list[Any]:
        return list(map(self.by_key.__getitem__, self.keys))


class Batched(FieldExtension):
    """Of a field without a resolver, whose key is the attribute `key` of the object."""

    def __init__(self, key: str) -> None:
        self.read = Attribute(key)

    def keys(self, objects: Sequence[Any], arguments: dict[str, Any]) -> list[Any]:  # noqa: ARG002
        """Of each object: hashable, or None for null, or the error that stands for the value.
        `arguments` are those of the field, by their Python names."""
        return self.read(objects)

    async def load(self, context: Any, keys: list[Any], arguments: dict[str, Any]) -> list[Any]:
        """Of each key the value, or the error that stands for it. No key comes twice."""
        raise NotImplementedError

    def values(
        self,
        context: Any,  # noqa: ARG002
        objects: Sequence[Any],  # noqa: ARG002
        loaded: list[Any],
        arguments: dict[str, Any],  # noqa: ARG002
    ) -> list[Any]:
        """Of each object the field's value, from what was loaded for it."""
        return loaded

    async def find(self, context: Any, objects: Sequence[Any], arguments: dict[str, Any]) -> Found:
        keys = self.keys(objects, arguments)
        by_key = dict(zip(keys, keys, strict=True))  # None and errors stand for themselves
        wanted = [key for key in by_key if key is not None and not isinstance(key, Exception)]
        if wanted:
            by_key.update(zip(wanted, await self.load(context, wanted, arguments), strict=True))
        return Found(keys, by_key)

    async def load_all(
        self, context: Any, objects: Sequence[Any], arguments: dict[str, Any]
    ) -> list[Any]:
        found = await self.find(context, objects, arguments)
        return self.values(context, objects, found.column(), arguments)

    def resolve(
        self,
        next_: object,  # noqa: ARG002
        source: Any,
        info: Info[Any, Any],
        **arguments: Any,
    ) -> Awaitable[Any]:
        """As graphql-core asks, object by object. `load` is expected to bring these together."""
        return self._load_one(info.context, source, arguments)

    async def _load_one(self, context: Any, source: Any, arguments: dict[str, Any]) -> Any:
        (value,) = await self.load_all(context, [source], arguments)
        if isinstance(value, Exception):
            raise value
        return value

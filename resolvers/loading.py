"""Batches: `nouns_by_key(viewer, keys)` gives a result per key, in the keys' order, None where
there is none. Loaders are made per operation: their cache and their viewer are of one request."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, TypeVar

from aiodataloader import DataLoader

from core.viewer import Identity

K = TypeVar("K")
R = TypeVar("R")
Batch = Callable[[Any, Sequence[K]], Awaitable[Sequence[R]]]


class Loaders:
    def __init__(self) -> None:
        self._loaders: dict[Callable[..., Any], DataLoader[Any, Any]] = {}

    async def load(self, batch: Batch[K, R], viewer: Identity, key: K) -> R:
        loader = self._loaders.get(batch)
        if loader is None:

            async def load_batch(keys: list[K]) -> list[R]:
                return list(await batch(viewer, keys))

            loader = self._loaders[batch] = DataLoader(load_batch)
        # graphql-core cancels the siblings of a failed non-null field; what they wait for is
        # shared with the rest of the request.
        result: R = await asyncio.shield(loader.load(key))
        return result


def by_key(rows: Iterable[R], keys: Sequence[K], column: str) -> list[R | None]:
    """One row per key."""
    found = {getattr(row, column): row for row in rows}
    return [found.get(key) for key in keys]


def lists_by_key(rows: Iterable[R], keys: Sequence[K], column: str) -> list[list[R]]:
    """The rows of each key, in the order they came."""
    found: dict[K, list[R]] = {key: [] for key in keys}
    for row in rows:
        found[getattr(row, column)].append(row)
    return [found[key] for key in keys]

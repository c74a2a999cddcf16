"""Batches: `nouns_by_key(viewer, keys)` gives a result per key, in the keys' order, None where
there is none. Loaders are made per operation: their cache and their viewer are of one request."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from itertools import chain
from typing import Any, TypeVar

from aiodataloader import DataLoader

from core.viewer import Identity

K = TypeVar("K")
R = TypeVar("R")
Batch = Callable[[Any, Sequence[K]], Awaitable[Sequence[R]]]


class Loaders:
    """What was found is kept until `end`."""

    def __init__(self) -> None:
        self._loaders: dict[tuple[Batch[Any, Any], Identity], DataLoader[Any, Any]] = {}
        self._found: dict[tuple[Batch[Any, Any], Identity], dict[Any, Any]] = {}
        self._running: set[asyncio.Task[Any]] = set()

    async def load(self, batch: Batch[K, R], viewer: Identity, key: K) -> R:
        (result,) = await self.load_many(batch, viewer, (key,))
        if isinstance(result, BaseException):
            raise result
        return result

    async def load_many(
        self, batch: Batch[K, R], viewer: Identity, keys: Sequence[K]
    ) -> list[R | BaseException]:
        """Of each key the result, or the error that stands for it."""
        found = self._found.setdefault((batch, viewer), {})
        wanted = tuple(key for key in keys if key not in found)
        if wanted:
            try:
                # One future for all of them, and of this call alone: it may be cancelled.
                results = await self._loader(batch, viewer).load(wanted)
            except Exception as error:  # noqa: BLE001 - whatever a batch raises
                results = [error] * len(wanted)
            found.update(zip(wanted, results, strict=True))
        return [found[key] for key in keys]

    def _loader(self, batch: Batch[K, R], viewer: Identity) -> DataLoader[Any, Any]:
        loader = self._loaders.get((batch, viewer))
        if loader is None:
            loader = self._loaders[batch, viewer] = _loader(batch, viewer, self._running)
        return loader

    def end(self) -> None:
        """Nobody waits any more: batches that run would run on."""
        self._loaders.clear()
        self._found.clear()
        for task in list(self._running):
            task.cancel()


def _loader(
    batch: Batch[K, R], viewer: Identity, running: set[asyncio.Task[Any]]
) -> DataLoader[Any, Any]:
    """Of lists of keys. Those that are asked for in one moment become one call of the batch."""

    async def load(lists: list[tuple[K, ...]]) -> list[list[R]]:
        if task := asyncio.current_task():
            running.add(task)
            task.add_done_callback(running.discard)
        keys = list(dict.fromkeys(chain.from_iterable(lists)))
        found = dict(zip(keys, await batch(viewer, keys), strict=True))
        return [[found[key] for key in keys] for keys in lists]

    return DataLoader(load, cache=False)


def by_key(rows: Iterable[R], keys: Sequence[K], column: str) -> list[R | None]:
    """One row per key."""
    found = {getattr(row, column): row for row in rows}
    return [found.get(key) for key in keys]


def counts_by_key(rows: Iterable[Any], keys: Sequence[K]) -> list[int]:
    """From rows of id and total; what has no row has none."""
    found = {row.id: row.total for row in rows}
    return [found.get(key, 0) for key in keys]


def lists_by_key(rows: Iterable[R], keys: Sequence[K], column: str) -> list[list[R]]:
    """The rows of each key, in the order they came."""
    found: dict[K, list[R]] = {key: [] for key in keys}
    for row in rows:
        found[getattr(row, column)].append(row)
    return [found[key] for key in keys]

"""Batches: `nouns_by_key(viewer, keys)` gives a result per key, in the keys' order, None where
there is none. Loaders are made per operation: their cache and their viewer are of one request."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from itertools import chain
from types import MappingProxyType
from typing import Any, TypeVar

from aiodataloader import DataLoader

from core.viewer import Identity

K = TypeVar("K")
R = TypeVar("R")
Batch = Callable[[Any, Sequence[K]], Awaitable[Sequence[R]]]
Source = tuple[DataLoader[Any, None], dict[Any, Any]]
"""Of a batch: what loads lists of keys, and what was found for each key."""

Known = Mapping[Batch[Any, Any], Mapping[Any, Any]]
"""Results of batches, by key, that are the same for all viewers of a workspace."""

NOTHING: Known = MappingProxyType({})


class Loaders:
    """What was found is known until `end`."""

    def __init__(self, known: Known = NOTHING) -> None:
        """What is known is not loaded."""
        self._known = known
        self._sources: dict[tuple[Batch[Any, Any], int], Source] = {}
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
        loader, found = self._of(batch, viewer)
        if unknown := tuple(key for key in keys if key not in found):
            # One future for all of them, and of this call alone: it may be cancelled.
            await loader.load(unknown)
        return [found[key] for key in keys]

    def _of(self, batch: Batch[K, R], viewer: Identity) -> Source:
        key = (batch, id(viewer))  # which the source keeps alive
        source = self._sources.get(key)
        if source is None:
            source = _source(batch, viewer, self._running, self._known.get(batch, {}))
            self._sources[key] = source
        return source

    def end(self) -> None:
        """Nobody waits any more: batches that run would run on."""
        self._sources.clear()
        for task in list(self._running):
            task.cancel()


def _source(
    batch: Batch[K, R],
    viewer: Identity,
    running: set[asyncio.Task[Any]],
    known: Mapping[K, R],
) -> Source:
    found: dict[K, R | BaseException] = dict(known)

    async def load(lists: list[tuple[K, ...]]) -> list[None]:
        """What is asked for in one moment is one call of the batch."""
        if task := asyncio.current_task():
            running.add(task)
            task.add_done_callback(running.discard)
        keys = list(dict.fromkeys(chain.from_iterable(lists)))
        try:
            found.update(zip(keys, await batch(viewer, keys), strict=True))
        except Exception as error:  # noqa: BLE001 - it stands for what was not found
            found.update(dict.fromkeys(keys, error))
        return [None] * len(lists)

    return DataLoader(load, cache=False), found


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

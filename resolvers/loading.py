"""Batches: `nouns_by_key(viewer, keys)` gives a result per key, in the keys' order, None where
there is none. Loaders are made per operation: their cache and their viewer are of one request."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import cached_property
from itertools import chain
from types import MappingProxyType
from typing import Any, TypeVar

from aiodataloader import DataLoader

from core.viewer import Identity

K = TypeVar("K")
R = TypeVar("R")
Batch = Callable[[Any, Sequence[K]], Awaitable[Sequence[R]]]
Known = Mapping[Batch[Any, Any], Mapping[Any, Any]]
"""Results of batches, by key, that are the same for all viewers of a workspace."""

NOTHING: Known = MappingProxyType({})


class Loaders:
    """What was found is known until `end`."""

    def __init__(self, known: Known = NOTHING) -> None:
        """What is known is not loaded."""
        self._known = known
        self._task = asyncio.current_task()
        self._sources: dict[tuple[Batch[Any, Any], int], Source] = {}
        self._running: set[asyncio.Task[Any]] = set()

    async def load(self, batch: Batch[K, R], viewer: Identity, key: K) -> R:
        (result,) = await self.load_many(batch, viewer, (key,))
        if isinstance(result, BaseException):
            raise result.with_traceback(None)  # it may be raised for many edges
        return result

    async def load_many(
        self, batch: Batch[K, R], viewer: Identity, keys: Sequence[K]
    ) -> list[R | BaseException]:
        """Of each key the result, or the error that stands for it."""
        source = self._of(batch, viewer)
        found = source.found
        if not all(key in found for key in keys):
            if asyncio.current_task() is self._task:
                # The operation itself waits, and for nothing else: nobody comes who asks for more.
                await source.find(dict.fromkeys(keys))
            else:
                # One future for all of them, and of this call alone: it may be cancelled.
                await source.loader.load(tuple(keys))
        return [found[key] for key in keys]

    def know(self, viewer: Identity, known: Known) -> None:
        """What was found along with something else."""
        for batch, results in known.items():
            self._of(batch, viewer).found.update(results)

    def _of(self, batch: Batch[K, R], viewer: Identity) -> "Source":
        key = (batch, id(viewer))  # which the source keeps alive
        source = self._sources.get(key)
        if source is None:
            source = Source(batch, viewer, self._known.get(batch, {}), self._running)
            self._sources[key] = source
        return source

    def end(self) -> None:
        """Nobody waits any more: batches that run would run on."""
        self._sources.clear()
        for task in list(self._running):
            task.cancel()


class Source:
    """Of a batch: what was found for each key."""

    def __init__(
        self,
        batch: Batch[Any, Any],
        viewer: Identity,
        known: Mapping[Any, Any],
        running: set[asyncio.Task[Any]],
    ) -> None:
        self.found: dict[Any, Any] = dict(known)
        self._batch, self._viewer = batch, viewer
        self._running = running

    @cached_property
    def loader(self) -> DataLoader[Any, None]:
        """Brings together what is asked for in one moment."""
        return DataLoader(self._load, cache=False)

    async def find(self, keys: Iterable[Any]) -> None:
        """`keys` are distinct."""
        unknown = [key for key in keys if key not in self.found]
        if not unknown:
            return
        try:
            results = await self._batch(self._viewer, unknown)
            self.found.update(zip(unknown, results, strict=True))
        except Exception as error:  # noqa: BLE001 - it stands for what was not found
            self.found.update(dict.fromkeys(unknown, error))

    async def _load(self, lists: list[tuple[Any, ...]]) -> list[None]:
        if task := asyncio.current_task():
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        await self.find(dict.fromkeys(chain.from_iterable(lists)))
        return [None] * len(lists)


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

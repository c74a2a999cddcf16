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
        self._loaders: dict[tuple[Batch[Any, Any], Identity], DataLoader[Any, Any]] = {}
        self._running: set[asyncio.Task[Any]] = set()

    async def load(self, batch: Batch[K, R], viewer: Identity, key: K) -> R:
        future = self._of(batch, viewer).load(key)
        future.add_done_callback(_seen)
        # graphql-core cancels the siblings of a failed non-null field; what they wait for is
        # shared with the rest of the request.
        result: R = await asyncio.shield(future)
        return result

    async def load_many(
        self, batch: Batch[K, R], viewer: Identity, keys: Sequence[K]
    ) -> list[R | BaseException]:
        """Of each key the result, or the error that stands for it."""
        loader = self._of(batch, viewer)
        futures = [loader.load(key) for key in keys]
        if waiting := [future for future in futures if not future.done()]:
            for future in waiting:
                future.add_done_callback(_seen)
            await asyncio.wait(waiting)  # which does not cancel them when it is cancelled
        return [future.exception() or future.result() for future in futures]

    def _of(self, batch: Batch[K, R], viewer: Identity) -> DataLoader[K, R]:
        loader = self._loaders.get((batch, viewer))
        if loader is None:
            loader = self._loaders[batch, viewer] = self._loader(batch, viewer)
        return loader

    def _loader(self, batch: Batch[K, R], viewer: Identity) -> DataLoader[K, R]:
        async def load_batch(keys: list[K]) -> list[R]:
            if task := asyncio.current_task():
                self._running.add(task)
                task.add_done_callback(self._running.discard)
            return list(await batch(viewer, keys))

        return DataLoader(load_batch)

    def cancel(self) -> None:
        """Nobody waits any more: batches that run are shielded, and would run on."""
        for task in list(self._running):
            task.cancel()


def _seen(future: asyncio.Future[Any]) -> None:
    """A batch that fails after those who waited for it were cancelled is no fault to be logged."""
    if not future.cancelled():
        future.exception()


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

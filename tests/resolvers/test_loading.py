import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID, uuid4

import pytest

from core.viewer import Identity
from resolvers.loading import Loaders, by_key, lists_by_key

WHO = Identity(uuid4(), uuid4())


@dataclass
class Thing:
    id: int
    parent: str


THINGS = [Thing(3, "a"), Thing(1, "b"), Thing(2, "a")]


def test_results_are_in_the_order_of_the_keys() -> None:
    one, missing, three = by_key(THINGS, [1, 9, 3], "id")
    assert (one, missing, three) == (THINGS[1], None, THINGS[0])
    assert lists_by_key(THINGS, ["b", "c", "a"], "parent") == [
        [THINGS[1]],
        [],
        [THINGS[0], THINGS[2]],
    ]


async def test_keys_of_one_moment_are_one_batch() -> None:
    batches: list[list[int]] = []

    async def doubled(viewer: Identity, keys: Sequence[int]) -> list[int]:
        assert viewer is WHO
        batches.append(list(keys))
        return [2 * key for key in keys]

    loaders = Loaders()
    found = await asyncio.gather(*(loaders.load(doubled, WHO, key) for key in (1, 2, 1, 3)))
    assert found == [2, 4, 2, 6]
    assert await loaders.load(doubled, WHO, 2) == 4
    assert batches == [[1, 2, 3]]
    assert await Loaders().load(doubled, WHO, 2) == 4  # another request, nothing remembered
    assert batches == [[1, 2, 3], [2]]


async def test_what_an_operation_waits_for_itself_is_no_task() -> None:
    tasks: list[asyncio.Task[object] | None] = []

    async def same(viewer: Identity, keys: Sequence[int]) -> list[int]:
        tasks.append(asyncio.current_task())
        return list(keys)

    assert await Loaders().load_many(same, WHO, [1, 2, 1]) == [1, 2, 1]
    assert tasks == [asyncio.current_task()]


async def test_who_is_cancelled_does_not_take_the_others_along() -> None:
    started = asyncio.Event()

    async def slow(viewer: Identity, keys: Sequence[int]) -> list[int]:
        started.set()
        await asyncio.sleep(0.01)
        return list(keys)

    loaders = Loaders()
    impatient = asyncio.create_task(loaders.load(slow, WHO, 1))
    patient = asyncio.create_task(loaders.load(slow, WHO, 1))
    await started.wait()
    impatient.cancel()
    assert await patient == 1
    with pytest.raises(asyncio.CancelledError):
        await impatient


async def test_many_are_one_batch_that_outlives_who_asked() -> None:
    started, batches = asyncio.Event(), []

    async def slow(viewer: Identity, keys: Sequence[int]) -> list[object]:
        batches.append(list(keys))
        started.set()
        await asyncio.sleep(0.01)
        return [ValueError(key) if key == 3 else 2 * key for key in keys]

    loaders = Loaders()
    impatient = asyncio.create_task(loaders.load_many(slow, WHO, [1, 2]))
    patient = asyncio.create_task(loaders.load_many(slow, WHO, [2, 3]))
    await started.wait()
    impatient.cancel()
    four, failure = await patient
    assert (four, type(failure), batches) == (4, ValueError, [[1, 2, 3]])
    assert await loaders.load_many(slow, WHO, [1]) == [2]
    assert len(batches) == 1


async def test_a_failure_reaches_everyone_who_waits() -> None:
    async def failing(viewer: Identity, keys: Sequence[int]) -> list[int]:
        raise ZeroDivisionError

    loaders = Loaders()
    asked = [loaders.load(failing, WHO, key) for key in (1, 2)]
    found = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(error) for error in found] == [ZeroDivisionError] * 2


async def test_batches_are_of_one_viewer() -> None:
    async def whose(viewer: Identity, keys: Sequence[int]) -> list[UUID]:
        return [viewer.user_id for _ in keys]

    loaders, other = Loaders(), Identity(uuid4(), uuid4())
    assert await loaders.load(whose, WHO, 1) == WHO.user_id
    assert await loaders.load(whose, other, 1) == other.user_id


async def test_cancel_ends_what_runs_for_nobody() -> None:
    started, ended = asyncio.Event(), asyncio.Event()

    async def endless(viewer: Identity, keys: Sequence[int]) -> list[int]:
        started.set()
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()
        return list(keys)

    loaders = Loaders()
    waiting = asyncio.create_task(loaders.load(endless, WHO, 1))
    await started.wait()
    waiting.cancel()
    await asyncio.sleep(0)
    assert not ended.is_set()  # shielded
    loaders.end()
    async with asyncio.timeout(1):
        await ended.wait()

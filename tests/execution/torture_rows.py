"""Rows whose values are now and then of the wrong type, null, an error, or to be awaited; which
ones follows from a seed, so that two executors meet the same."""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum, StrEnum
from typing import Any
from uuid import UUID
from zlib import crc32

NOON = dt.datetime(2026, 1, 1, 12, 0, 0, 123000, dt.UTC)
INDIAN = dt.datetime(2020, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=5, minutes=30)))
ODD = dt.datetime(1890, 1, 1, tzinfo=dt.timezone(dt.timedelta(seconds=1172)))


class Color(Enum):
    RED = "red"
    GREEN = "green"
    BLUE = 3


class Mood(StrEnum):
    GOOD = "GOOD"
    BAD = "BAD"


async def late(value: Any) -> Any:
    await asyncio.sleep(0)
    return value


async def late_error(message: str) -> Any:
    await asyncio.sleep(0)
    raise RuntimeError(message)


def generated() -> Iterator[str]:
    yield "g1"
    yield "g2"


def broken() -> Iterator[str]:
    yield "g1"
    raise RuntimeError("broken")


async def streamed() -> AsyncIterator[str]:
    yield "a1"
    await asyncio.sleep(0)
    yield "a2"


@dataclass
class Faults:
    """`rate` in a hundred values are faulty."""

    seed: int = 0
    rate: int = 0

    def pick(self, good: Any, bad: Sequence[Any], *place: object) -> Any:
        number = crc32(repr((self.seed, place)).encode())
        if number % 100 >= self.rate:
            return good
        value = bad[number // 100 % len(bad)]
        return value() if isinstance(value, Lazy) else value


@dataclass
class Lazy:
    """A bad value that is new each time."""

    make: Callable[[], Any]

    def __call__(self) -> Any:
        return self.make()


FAULTS = Faults()


class Row:
    def __init__(self, number: int, depth: int = 0) -> None:
        self.number = number
        self.depth = depth

    def next(self, step: int) -> "Row":
        return Row(self.number + step, self.depth + 1)

    def __getattr__(self, name: str) -> Any:
        if name not in VALUES:
            raise AttributeError(name)
        good, bad = VALUES[name]
        if FAULTS.pick(False, (True,), self.number, self.depth, name, "raises") and FAULTS.pick(
            False, (True,), self.number, self.depth, name, "twice"
        ):
            raise RuntimeError(f"{name} of {self.number}")
        return FAULTS.pick(good(self), bad, self.number, self.depth, name)


Value = tuple[Callable[[Row], Any], Sequence[Any]]

SCALARS: dict[str, Value] = {
    "text": (
        lambda row: f"s{row.number}",
        [7, True, 1.5, None, [1], ValueError("v"), Lazy(lambda: late("later")), {"a": 1}, b"x"],
    ),
    "text_set": (
        lambda row: f"t{row.number}",
        [None, 12, b"x", Lazy(lambda: late(None)), Lazy(lambda: late_error("text_set"))],
    ),
    "whole": (
        lambda row: row.number,
        [2**31, -(2**31), 3.0, 3.5, "12", "x", True, None, Decimal(4)],
    ),
    "whole_set": (lambda row: row.number, [None, 2**40, "q", Lazy(lambda: late(3))]),
    "ratio": (
        lambda row: row.number / 3,
        [float("inf"), float("nan"), 3, "1.5", None, True, 10**400],
    ),
    "flag": (lambda row: row.number % 2 == 0, [1, 0, 2.0, "true", None]),
    "key": (
        lambda row: row.number if row.number % 2 else f"id{row.number}",
        [UUID(int=5), 1.0, True, None, 2.5],
    ),
    "moment": (
        lambda row: NOON if row.number % 3 else NOON.replace(microsecond=0),
        [None, "2020", dt.date(2020, 1, 1), dt.datetime(99, 1, 1), INDIAN, ODD],  # noqa: DTZ001
    ),
    "moment_set": (lambda _: NOON, [None, None, Lazy(lambda: late(INDIAN)), ODD]),
    "day": (lambda row: dt.date(2026, 1, 1 + row.number % 28), [None, NOON]),
    "uuid": (lambda row: UUID(int=row.number), [None, "abc"]),
    "price": (lambda row: Decimal("1.50") * row.number, [None, 1.5, "x"]),
    "data": (lambda row: {"n": row.number}, [None, [1, None], "text", 1.5, {}]),
    "color": (
        lambda row: (Color.RED, Color.GREEN, "red", Color.BLUE)[row.number % 4],
        ["nope", None, 3, "RED", [1], Color.GREEN],
    ),
    "mood": (lambda row: ("GOOD", "BAD")[row.number % 2], ["nope", None, Mood.GOOD, 3]),
    "shout": (lambda _: "abc", ["boom", "void", None, 5]),
}
LISTS: dict[str, Value] = {
    "tags": (
        lambda _: ["a", "b"],
        [
            *(None, ("x",), ["a", None], "str", 5, {"k": 1}, {"one"}),
            *map(Lazy, (generated, broken, streamed, lambda: [late("t"), "u"])),
            Lazy(lambda: late(["l"])),
        ],
    ),
    "tags_set": (lambda _: ["a", "b"], [None, ["a", None], ["a", [5]], []]),
    "grid": (
        lambda _: [[1, 2], [], [3]],
        [[[1, None]], [None, [1]], [["x"]], None, Lazy(lambda: [late([1])])],
    ),
}
EDGES: dict[str, Value] = {
    "child": (
        lambda row: row.next(1),
        [None, ValueError("child"), Lazy(lambda: late(Row(2, 3))), Lazy(lambda: late(None))],
    ),
    "child_set": (lambda row: row.next(2), [None, ValueError("child_set")]),
    "children": (
        lambda row: [row.next(step) for step in range(row.number % 4)],
        [
            *(None, [None], "str", [ValueError("item"), Row(1, 1)]),
            Lazy(lambda: late([Row(5, 5)])),
            Lazy(lambda: [late(Row(6, 7)), Row(5, 5)]),
        ],
    ),
    "children_set": (
        lambda row: [row.next(step) for step in range(3)],
        [None, [None, Row(1, 1)], [], [Row(1, 1), ValueError("item")]],
    ),
    "owner_key": (lambda row: (1, 1, 2, 1, 4, 1)[row.number % 6], [None, 99, 13]),
}
VALUES = SCALARS | LISTS | EDGES

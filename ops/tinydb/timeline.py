"""When each message of a conversation was said, and in which order.

Times decide the order, and the file where they are equal: a time says when something was said,
the place in the file only when it was stored.
"""

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise


def in_order(times: Sequence[int | None], start: int | None, now: int) -> list[tuple[int, int]]:
    """The places (index, time) of messages that stand in file order, by time. Microseconds.

    `start` is the conversation's own time; `now` counts when no time at all is known.
    """
    filled = _filled(times, start, now)
    order = sorted(range(len(times)), key=filled.__getitem__)  # stable: ties keep the file's order
    return [(index, int(filled[index])) for index in order]


def _filled(
    times: Sequence[int | None], start: int | None, now: int
) -> Sequence[int] | Sequence[int | Fraction]:
    """A run without times is spread evenly between its neighbours, also where those run backwards:
    it then lies mirrored between them. Before the first known time it begins at `start`, unless
    that is later; after the last one that holds on. Fractions keep neighbours apart that are one
    microsecond from each other.
    """
    known = [(index, time) for index, time in enumerate(times) if time is not None]
    if len(known) == len(times):
        return [time for _, time in known]
    if not known:
        return [now if start is None else start] * len(times)
    first, last = known[0][1], known[-1][1]
    begin = first if start is None else min(start, first)
    filled: list[int | Fraction] = []
    for (i, before), (j, after) in pairwise([(-1, begin), *known, (len(times), last)]):
        step = Fraction(after - before, j - i)
        filled += [before + step * (index - i) for index in range(i + 1, j)]
        filled.append(after)
    return filled[:-1]

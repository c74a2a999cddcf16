from hypothesis import given
from hypothesis import strategies as st

from ops.tinydb.timeline import in_order

NOW = 10**15
times = st.lists(st.none() | st.integers(0, 20) | st.integers(0, NOW), max_size=12)


def test_times_decide_and_the_file_where_they_are_equal() -> None:
    assert in_order([30, 10, 20, 10], 0, NOW) == [(1, 10), (3, 10), (2, 20), (0, 30)]


def test_a_run_without_times_is_spread_between_its_neighbours() -> None:
    assert in_order([10, None, None, 40], 0, NOW) == [(0, 10), (1, 20), (2, 30), (3, 40)]


def test_also_where_the_neighbours_run_backwards() -> None:
    assert in_order([40, None, None, 10], 0, NOW) == [(3, 10), (2, 20), (1, 30), (0, 40)]


def test_neighbours_one_microsecond_apart() -> None:
    assert in_order([11, None, 10], 0, NOW) == [(2, 10), (1, 10), (0, 11)]


def test_the_beginning_lies_between_the_conversation_and_the_first_known_time() -> None:
    assert in_order([None, None, 40], 10, NOW) == [(0, 20), (1, 30), (2, 40)]
    assert in_order([None, 40], 50, NOW) == [(0, 40), (1, 40)]
    assert in_order([None, 40], None, NOW) == [(0, 40), (1, 40)]


def test_at_the_end_the_last_time_holds_on() -> None:
    assert in_order([30, 10, None, None], 0, NOW) == [(1, 10), (2, 10), (3, 10), (0, 30)]


def test_without_any_time_it_is_the_conversations_else_now() -> None:
    assert in_order([None, None], 7, NOW) == [(0, 7), (1, 7)]
    assert in_order([None], None, NOW) == [(0, NOW)]
    assert in_order([], 7, NOW) == []


@given(times, st.none() | st.integers(0, NOW))
def test_every_message_keeps_its_time_or_its_place(
    times: list[int | None], start: int | None
) -> None:
    order = in_order(times, start, NOW)
    assert sorted(index for index, _ in order) == list(range(len(times)))
    assert [time for _, time in order] == sorted(time for _, time in order)
    rank = {index: position for position, (index, _) in enumerate(order)}
    for index, time in order:
        if times[index] is not None:
            assert time == times[index]
        elif 0 < index < len(times) - 1:
            low, high = sorted((rank[index - 1], rank[index + 1]))
            assert low < rank[index] < high or times[index - 1] is None or times[index + 1] is None

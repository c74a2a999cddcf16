"""Columns of scalars are written as the scalars themselves write each value."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schema.scalars import DATE_TIME, WRITERS

write = WRITERS["DateTime"].write
in_utc = st.datetimes(timezones=st.just(UTC))


@given(st.lists(in_utc | st.none()))
def test_moments(moments: list[datetime | None]) -> None:
    serialize = DATE_TIME.serialize
    assert serialize
    assert write(moments) == [None if at is None else serialize(at) for at in moments]


@pytest.mark.parametrize(
    "at",
    [
        datetime(2026, 1, 1),  # noqa: DTZ001
        datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=5, minutes=30))),
        datetime(1890, 1, 1, tzinfo=timezone(timedelta(seconds=1172))),
    ],
)
def test_moments_elsewhere_are_left_to_the_scalar(at: datetime) -> None:
    with pytest.raises(ValueError, match=r"datetime\.datetime"):
        write([at])

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.time import moment, since_epoch


@given(st.datetimes(timezones=st.just(UTC)))
def test_no_microsecond_gets_lost(time: datetime) -> None:
    assert moment(since_epoch(time)) == time


def test_zones_name_the_same_moment() -> None:
    tokyo = timezone(timedelta(hours=9))
    assert since_epoch(datetime(1970, 1, 1, 9, tzinfo=tokyo)) == 0
    assert moment(-1) == datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)


@pytest.mark.parametrize("time", [2**58, -(2**58), 10**40])
def test_moments_beyond_the_calendar(time: int) -> None:
    with pytest.raises(OverflowError):
        moment(time)

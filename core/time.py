"""Times as whole microseconds since 1970: as exact as PostgreSQL's, and JSON can hold them."""

from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def now() -> datetime:
    return datetime.now(UTC)


def since_epoch(moment: datetime) -> int:
    return (moment - EPOCH) // MICROSECOND


def moment(microseconds: int) -> datetime:
    """Raises OverflowError for what lies outside of the years 1 to 9999."""
    return EPOCH + microseconds * MICROSECOND

"""What tables share. Columns stand in the reversed order of the mixins."""

from piccolo.columns import Timestamptz
from piccolo.columns.column_types import UUID
from piccolo.columns.defaults.timestamptz import TimestamptzNow

from tables.columns import UUID7
from tables.engine import DB


class Times:
    created_at = Timestamptz(default=TimestamptzNow())
    updated_at = Timestamptz(default=TimestamptzNow(), help_text="Set by a trigger.")


class SoftDelete:
    deleted_at = Timestamptz(null=True, default=None)


class Global:
    """A table that belongs to no tenant. The tenant role has no right on it."""

    id = UUID(primary_key=True, default=UUID7())

    def __init_subclass__(cls, tablename: str) -> None:
        super().__init_subclass__(tablename=tablename, db=DB)  # type: ignore[call-arg]

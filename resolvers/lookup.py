"""What is looked up by a key, by itself or along with what has the key."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Generic
from uuid import UUID

from core.viewer import Viewer
from resolvers.loading import by_key
from tables.engine import DB, RowType
from tables.row import tuples


class Lookup(Generic[RowType]):
    """A batch of rows by `key`, the same for all who see what leads to them."""

    def __init__(
        self,
        row: type[RowType],
        columns: str,
        one: Callable[[str, str], str],
        *,
        key: str = "id",
    ) -> None:
        """`one` makes a query of columns for the row of one key, an expression. Its $1 is the
        tenant. The columns' types must be of PostgreSQL's own: of others asyncpg knows only in
        columns how to read them, not in records."""
        self.row, self.key = row, key
        self.one: Callable[[str], str] = partial(one, columns)
        names = [column.split()[-1].rpartition(".")[2] for column in columns.split(",")]
        self._record = tuples(row.__name__, names, node_type=row.node_type)

    def select(self, keys: str) -> str:
        """A query of the columns, in their order, for an array of keys."""
        return f"""SELECT found.* FROM unnest({keys}) AS one (key)
            CROSS JOIN LATERAL ({self.one("one.key")}) AS found"""

    async def __call__(self, viewer: Viewer, keys: Sequence[UUID]) -> list[RowType | None]:
        return await self.of_tenant(viewer.tenant_id, keys)

    async def of_tenant(self, tenant_id: UUID, keys: Sequence[UUID]) -> list[RowType | None]:
        rows = await DB.fetch(self.row, self.select("$2::uuid[]"), tenant_id, keys)
        return by_key(rows, keys, self.key)

    def read(self, records: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Of an array of its rows: objects with their columns as attributes."""
        return list(map(self._record, records))

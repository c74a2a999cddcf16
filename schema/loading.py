"""Fields that a batch of the rules answers, by a column that has its key."""

from typing import Any

import strawberry

from execution.batched import Batched
from resolvers.loading import Batch
from schema.context import Context


class Loaded(Batched):
    def __init__(self, batch: Batch[Any, Any], key: str) -> None:
        super().__init__(key)
        self.batch = batch

    async def load(
        self,
        context: Context,
        keys: list[Any],
        arguments: dict[str, Any],  # noqa: ARG002
    ) -> list[Any]:
        return await context.load_many(self.batch, keys)


def loaded(batch: Batch[Any, Any], key: str, description: str | None = None) -> Any:
    """Leads to what `batch` has for the column `key`; nowhere, where that is null."""
    return strawberry.field(description=description, extensions=[Loaded(batch, key)])

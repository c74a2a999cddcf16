"""Fields that a batch of the rules answers, by a column that has its key."""

from copy import copy
from typing import Any, Self

import strawberry

from execution.batched import Batched, Followed, LooksAhead
from resolvers.loading import Batch
from resolvers.lookahead import NO_LINKS, Link, Lookup
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


class Ahead(LooksAhead):
    """Finds what its rows lead to along with them, by `links`."""

    links = NO_LINKS

    def looking_ahead(self, followed: Followed) -> Self:
        ahead = copy(self)
        ahead.links = frozenset(
            Link(parent, batched.read.name, batched.batch)
            for parent, batched in followed
            if type(batched) is Loaded and isinstance(batched.batch, Lookup)
        )
        return ahead


def loaded(batch: Batch[Any, Any], key: str, description: str | None = None) -> Any:
    """Leads to what `batch` has for the column `key`; nowhere, where that is null."""
    return strawberry.field(description=description, extensions=[Loaded(batch, key)])

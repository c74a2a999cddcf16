"""Conversations as news for those who take part in them."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from resolvers.access import IS_ADMIN, ONE_BY_ONE
from resolvers.conversation import COLUMNS, ConversationRow
from resolvers.listener import InboxListener
from resolvers.listening import Standing
from tables.engine import DB, Row

BATCH = 100
"""Conversations that are read at once."""

OVERLAP = timedelta(seconds=30)
"""A conversation bears the time when a transaction began: so long one may take, and be found
though nobody told of it."""

Mark = tuple[datetime, int]
"""Tells a state of a conversation from the one before."""


class MarkRow(Row):
    id: UUID
    updated_at: datetime
    version: int

    @property
    def mark(self) -> Mark:
        return self.updated_at, self.version


class NewsRow(ConversationRow, MarkRow):
    viewer_id: UUID


class Inboxes:
    """Of one workspace: who listens, and what they were told that could be found again."""

    def __init__(self, tenant_id: UUID | None) -> None:
        self.tenant_id = tenant_id
        self.listeners: set[InboxListener] = set()
        self._told: dict[UUID, Mark] = {}
        self._found_upto: datetime | None = None

    async def read(
        self, standing: Standing, changed: Collection[UUID], *, polls: bool
    ) -> Sequence[NewsRow]:
        if self.tenant_id is None or standing.read_at is None or not self.listeners:
            return ()
        await self._skip_what_was_before(self.tenant_id, standing.read_at)
        people = {listener.identity.user_id for listener in self.listeners}
        ids = set(changed)
        if polls:
            since = (self._found_upto or standing.read_at) - OVERLAP
            marks = await marks_since(self.tenant_id, since, people)
            ids.update(row.id for row in marks if self._is_new(row))
            self._forget(standing.read_at)
        found = [*ids]
        return [
            row
            for start in range(0, len(found), BATCH)
            for row in await news_by_id(self.tenant_id, found[start : start + BATCH], people)
            if self._is_new(row)
        ]

    def tell(self, news: Iterable[NewsRow]) -> None:
        for row in news:
            self._told[row.id] = row.mark
            for listener in self.listeners:
                if listener.identity.user_id == row.viewer_id:
                    listener.tell(row)

    def _is_new(self, row: MarkRow) -> bool:
        return self._told.get(row.id) != row.mark

    async def _skip_what_was_before(self, tenant_id: UUID, read_at: datetime) -> None:
        fresh = {listener for listener in self.listeners if listener.is_new}
        if fresh:
            people = {listener.identity.user_id for listener in fresh}
            for row in await marks_since(tenant_id, read_at - OVERLAP, people):
                self._told.setdefault(row.id, row.mark)
            for listener in fresh:
                listener.is_new = False

    def _forget(self, read_at: datetime) -> None:
        """What a later poll cannot find."""
        self._found_upto = read_at
        oldest = read_at - OVERLAP
        self._told = {id: mark for id, mark in self._told.items() if mark[0] > oldest}


async def marks_since(
    tenant_id: UUID, since: datetime, user_ids: Collection[UUID]
) -> list[MarkRow]:
    """Of conversations that have changed since, and one of them takes part in."""
    return await DB.fetch(
        MarkRow,
        f"""SELECT c.id, c.updated_at, c.version FROM conversations c
        WHERE c.tenant_id = $1 AND c.updated_at > $2 AND EXISTS (
            SELECT FROM participants p WHERE p.tenant_id = $1 AND p.conversation_id = c.id
            AND p.user_id = ANY($3) {ONE_BY_ONE})""",
        tenant_id,
        since,
        list(user_ids),
    )


async def news_by_id(
    tenant_id: UUID, ids: Sequence[UUID], user_ids: Collection[UUID]
) -> list[NewsRow]:
    """Each conversation once for each of the people who takes part in it. One that is deleted, for
    those who may restore it."""
    return await DB.fetch(
        NewsRow,
        f"""SELECT {COLUMNS}, me.user_id AS viewer_id
        FROM conversations c
        JOIN participants me ON me.tenant_id = $1 AND me.conversation_id = c.id
            AND me.user_id = ANY($3)
        JOIN memberships mine ON mine.tenant_id = $1 AND mine.user_id = me.user_id
            AND mine.is_active
        WHERE c.tenant_id = $1 AND c.id = ANY($2)
        AND (c.deleted_at IS NULL OR {IS_ADMIN} OR c.owner_id = me.user_id)""",
        tenant_id,
        ids,
        list(user_ids),
    )

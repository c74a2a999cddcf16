from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import asyncpg

from resolvers.message_change import Cursors
from schema.node import global_id
from tests.graph import Person
from tests.resolvers.writing import history
from tests.server.processes import TOKENS, bearer
from tests.torture.model import Change, History


@dataclass
class Place:
    """A conversation, and how far anybody has heard of it."""

    tenant_id: UUID
    conversation_id: UUID
    known: int = 0

    @property
    def id(self) -> str:
        return global_id("Conversation", self.conversation_id)

    @property
    def cursors(self) -> Cursors:
        return Cursors(self.tenant_id, self.conversation_id)

    async def history(self, connection: "asyncpg.Connection[asyncpg.Record]") -> History:
        """As the database has it, which must be whole."""
        happened = await history(connection, self.conversation_id)
        changes = [Change(kind, global_id("Message", id), at) for kind, id, at in happened]
        ((version, messages, sequences),) = await connection.fetch(
            """SELECT version, last_sequence, ARRAY(SELECT sequence FROM messages
                WHERE conversation_id = c.id ORDER BY sequence)
            FROM conversations c WHERE id = $1""",
            self.conversation_id,
        )
        assert [change.version for change in changes] == [*range(1, version + 1)]
        assert sequences == [*range(1, messages + 1)]
        return History(changes)

    async def states(
        self, connection: "asyncpg.Connection[asyncpg.Record]"
    ) -> dict[str, tuple[str, bool]]:
        rows = await connection.fetch(
            "SELECT id, content, deleted_at FROM messages WHERE conversation_id = $1",
            self.conversation_id,
        )
        return {
            global_id("Message", id): ("" if deleted_at else content, deleted_at is not None)
            for id, content, deleted_at in rows
        }


def credentials(person: Person) -> dict[str, str]:
    """For as long as a test may last."""
    return bearer(TOKENS.sign(person.id, person.session_id, expires_in=timedelta(days=1)))

"""Conversations of the demo workspace: who takes part, and what they say."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from ops.database import Connection

ADD_CONVERSATION = """
INSERT INTO conversations (tenant_id, short_id, owner_id, title, message_count, last_sequence,
    version, created_at, updated_at, last_message_at)
VALUES ($1, $2, $3, $4, $5::int, $5::int, $5::int, $6, $7, $7)
ON CONFLICT (tenant_id, short_id) DO NOTHING RETURNING id
"""
ADD_PARTICIPANT = """
INSERT INTO participants (tenant_id, conversation_id, user_id, last_read_sequence, read_count,
    created_at)
VALUES ($1, $2, $3, $4::int, $4::int, $5)
"""
ADD_MESSAGE = """
INSERT INTO messages (tenant_id, conversation_id, sequence, version, role, author_id, content,
    token_count, created_at, updated_at)
VALUES ($1, $2, $3::int, $3::int, $4, $5, $6, $7, $8, $8) RETURNING id
"""
CITE = """
INSERT INTO message_documents (tenant_id, message_id, document_id, position)
SELECT $1, $2, id, $4 FROM documents WHERE tenant_id = $1 AND source_id = $3
"""


@dataclass(frozen=True)
class SeedConversations:
    connection: Connection
    tenant_id: UUID
    people: dict[str, UUID]
    """By username."""

    async def add(self, item: dict[str, Any], start: datetime) -> int:
        """Returns how many messages it got; 0 when it was there already."""
        messages = item["messages"]
        times = times_of(messages, start)
        conversation_id = await self.connection.fetchval(
            ADD_CONVERSATION,
            self.tenant_id,
            item["short_id"],
            self.people[item["owner"]],
            item["title"],
            len(messages),
            start,
            times[-1],
        )
        if conversation_id is None:
            return 0
        for name in item["participants"]:
            read = len(messages) - item.get("unread", {}).get(name, 0)
            await self.connection.execute(
                ADD_PARTICIPANT, self.tenant_id, conversation_id, self.people[name], read, start
            )
        for sequence, (message, at) in enumerate(zip(messages, times, strict=True), start=1):
            await self._add_message(conversation_id, sequence, message, at)
        return len(messages)

    async def _add_message(
        self,
        conversation_id: UUID,
        sequence: int,
        message: dict[str, Any],
        at: datetime,
    ) -> None:
        role = {"assistant": "ASSISTANT", "system": "SYSTEM"}.get(message["by"], "USER")
        text = message["text"].strip()
        message_id = await self.connection.fetchval(
            ADD_MESSAGE,
            self.tenant_id,
            conversation_id,
            sequence,
            role,
            self.people[message["by"]] if role == "USER" else None,
            text,
            len(text) // 4 + 1 if role == "ASSISTANT" else None,
            at,
        )
        for position, filename in enumerate(message.get("uses", [])):
            await self.connection.execute(
                CITE, self.tenant_id, message_id, f"demo:{filename}", position
            )


def times_of(messages: list[dict[str, Any]], start: datetime) -> list[datetime]:
    """People take their time to read and type, the assistant does not; `later` (minutes) is a
    pause on top."""
    times, at = [], start
    for message in messages:
        seconds = 3 + len(message["text"]) / 60 if message["by"] == "assistant" else 25
        seconds += 0 if message["by"] == "assistant" else len(message["text"]) * 0.6
        at += timedelta(seconds=seconds, minutes=message.get("later", 0))
        times.append(at)
    return times

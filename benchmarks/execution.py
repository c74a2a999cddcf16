"""How much faster a plan is than graphql-core, on rows that are there already: three operations of
a chat, asked in turn. Says nothing of a database or a server.

Run: .venv/bin/python -m benchmarks.execution
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from statistics import median
from typing import Any, ClassVar

import orjson
import strawberry
from asyncpg.pgproto.pgproto import UUID

from execution.documents import Documents
from execution.executor import CompiledExecutor
from execution.schema import PlannedSchema
from resolvers.loading import Loaders
from resolvers.message import MessageRole
from schema.loading import loaded
from schema.node import Node
from schema.scalars import WRITERS

RUNS = 60
CONVERSATIONS, MESSAGES, PEOPLE = 20, 50, 10
OPERATIONS = {
    "inbox, 20 conversations": """{ conversations { id title messageCount createdAt updatedAt
        owner { id username } lastMessage { id content } } }""",
    "thread, 50 messages": """{ messages { id content role createdAt editedAt
        author { id username } } }""",
    "deep, 20 x 20 messages": """{ conversations { id title
        someMessages { id content role createdAt author { id username } } } }""",
}
NOW = datetime(2026, 1, 1, 12, 30, 15, 123456, UTC)


class Row(dict[str, Any]):
    """As asyncpg's record, with attributes."""

    is_keyed = True

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


class UserRow(Row):
    node_type = "User"


class ConversationRow(Row):
    node_type = "Conversation"


class MessageRow(Row):
    node_type = "Message"


def _id(number: int) -> UUID:
    return UUID(number.to_bytes(16))


def _row(kind: type[Row], number: int, **columns: Any) -> Row:
    return kind(id=_id(number), created_at=NOW, updated_at=NOW, **columns)


USERS = [_row(UserRow, n, username=f"user{n}") for n in range(PEOPLE)]
TALKS = [
    _row(ConversationRow, n, title=f"Talk {n}", message_count=n, owner_id=_id(n % PEOPLE))
    for n in range(CONVERSATIONS)
]
ROWS = [
    _row(MessageRow, n, content=f"message {n} " * 9, role="USER", edited_at=None,
         author_id=_id(n % PEOPLE))
    for n in range(MESSAGES)
]  # fmt: skip


async def users_by_id(_: Any, ids: Sequence[UUID]) -> list[Row]:
    return [USERS[id.int] for id in ids]


async def some_messages_by_conversation(_: Any, ids: Sequence[UUID]) -> list[list[Row]]:
    return [ROWS[id.int : id.int + 20] for id in ids]


async def last_messages_by_conversation(_: Any, ids: Sequence[UUID]) -> list[Row]:
    return [ROWS[id.int] for id in ids]


class Context:
    def __init__(self) -> None:
        self.loaders = Loaders()

    async def load_many(self, batch: Any, keys: Sequence[Any]) -> list[Any]:
        who: Any = None
        return await self.loaders.load_many(batch, who, keys)


@strawberry.type
class User(Node):
    username: str


@strawberry.type
class Message(Node):
    content: str
    role: MessageRole
    created_at: datetime
    edited_at: datetime | None
    author: User | None = loaded(users_by_id, "author_id")


@strawberry.type
class Conversation(Node):
    title: str
    message_count: int
    created_at: datetime
    updated_at: datetime
    owner: User | None = loaded(users_by_id, "owner_id")
    last_message: Message | None = loaded(last_messages_by_conversation, "id")
    some_messages: list[Message] = loaded(some_messages_by_conversation, "id")


@strawberry.type
class Query:
    @strawberry.field(graphql_type=list[Conversation])
    async def conversations(self) -> list[Row]:
        return TALKS

    @strawberry.field(graphql_type=list[Message])
    async def messages(self) -> list[Row]:
        return ROWS


class Compiled(CompiledExecutor):
    documents: ClassVar[Documents] = Documents(16)
    writers = WRITERS


class Stock(Compiled):
    @classmethod
    def compiles_after(cls, _: object) -> None:
        return None


def _schema(executor: type[CompiledExecutor]) -> strawberry.Schema:
    return PlannedSchema(Query, execution_context_class=executor)


async def _asked(schema: strawberry.Schema, operation: str) -> bytes:
    answer: Any = await schema.execute(operation, context_value=Context())
    assert not answer.errors, answer.errors
    return orjson.dumps(answer.data)


async def _timed(ask: Callable[[], Awaitable[bytes]]) -> float:
    """Milliseconds of processor time: the machine may be busy with others."""
    start = time.process_time()
    await ask()
    return 1000 * (time.process_time() - start)


async def main() -> None:
    schemas = {"graphql-core": _schema(Stock), "plan": _schema(Compiled)}
    for name, operation in OPERATIONS.items():
        answers = [
            [await _asked(schema, operation) for schema in schemas.values()] for _ in range(5)
        ]
        assert len({answer for pair in answers for answer in pair}) == 1
        times: dict[str, list[float]] = {key: [] for key in schemas}
        for _ in range(RUNS):
            for key, schema in schemas.items():
                times[key].append(await _timed(partial(_asked, schema, operation)))
        stock, plan = (median(taken) for taken in times.values())
        print(f"{name:26} graphql-core {stock:6.2f} ms, plan {plan:5.2f} ms: {stock / plan:4.1f}x")


if __name__ == "__main__":
    asyncio.run(main())

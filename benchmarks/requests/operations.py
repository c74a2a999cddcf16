"""The four operations: how each server is asked, and what it must answer."""

import base64
import re
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson

from benchmarks.requests.data import Connection, Target

OPERATIONS = ("inbox", "thread", "deep", "send")
CONVERSATIONS, THREAD, DEEP = 20, 50, 20
"""How many conversations are asked for, and how many messages of one, and of each."""

TOKEN_COUNT = 50

DOCUMENTS = Path(__file__).parent / "documents"
TEXT = (
    'A message of about two hundred characters, as a person types it: with "quotes", a line\nbreak,'
    " an accent é and a 🚀, and then some more words, until it is long enough to be one. Mark "
)


def document(server: str, operation: str) -> str:
    return (DOCUMENTS / server / f"{operation}.graphql").read_text()


def mark(number: int) -> str:
    """What tells a message that is sent from all others."""
    return f"<{number}>"


def content(number: int) -> str:
    return TEXT + mark(number)


def variables(operation: str, conversation: str, number: int) -> dict[str, Any]:
    """`conversation`: its id, as the server calls it; `number`: of the message to be sent."""
    match operation:
        case "inbox":
            return {"first": CONVERSATIONS}
        case "thread":
            return {"id": conversation, "last": THREAD}
        case "deep":
            return {"first": CONVERSATIONS, "last": DEEP}
    message = {"content": content(number), "tokenCount": TOKEN_COUNT}
    return {"input": {"conversationId": conversation} | message}


# --- what is answered, whatever form a server gives it


def plain(value: Any) -> Any:
    """Connections are lists, ids are UUIDs, times are times, the newest message comes first."""
    if isinstance(value, list):
        return [plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "nodes" in value:
        return plain(value["nodes"])
    return {name: _plain_field(name, item) for name, item in value.items()}


def _plain_field(name: str, value: Any) -> Any:
    if name == "id":
        return _key(value)
    if name in ("createdAt", "lastMessageAt"):
        return datetime.fromisoformat(value)
    if name == "messages":
        return sorted(plain(value), key=lambda message: message["createdAt"], reverse=True)
    return plain(value)


def _key(id: str) -> UUID:
    if not re.fullmatch(r"[0-9a-f-]{36}", id):
        id = base64.b64decode(id).decode().partition(":")[2]
    return UUID(id)


def answered(operation: str, body: bytes) -> Any:
    """The data of the operation's only field. Raises ValueError, KeyError, TypeError for another
    form."""
    (data,) = orjson.loads(body)["data"].values()
    return plain(data["message"] if operation == "send" and "message" in data else data)


# --- what must be: one table at a time, as a superuser


async def expected(connection: Connection, operation: str, target: Target) -> Any:
    """Of what is read."""
    if operation == "thread":
        rows = await connection.fetch(
            "SELECT * FROM conversations WHERE tenant_id = $1 AND id = $2",
            target.tenant_id,
            target.conversation_id,
        )
        return (await _conversations(connection, rows, THREAD))[0]
    mine = await connection.fetch(
        "SELECT conversation_id FROM participants WHERE tenant_id = $1 AND user_id = $2",
        target.tenant_id,
        target.user_id,
    )
    rows = await connection.fetch(
        "SELECT * FROM conversations WHERE tenant_id = $1 AND id = ANY($2)"
        " ORDER BY last_message_at DESC, id DESC LIMIT $3",
        target.tenant_id,
        [row[0] for row in mine],
        CONVERSATIONS,
    )
    if operation == "deep":
        return await _conversations(connection, rows, DEEP)
    return await _inbox(connection, rows)


async def _conversations(connection: Connection, rows: list[Any], messages: int) -> Any:
    return [
        {
            "id": row["id"],
            "title": row["title"],
            "messages": [
                {
                    "id": message["id"],
                    "role": message["role"],
                    "content": message["content"],
                    "tokenCount": message["token_count"],
                    "createdAt": message["created_at"],
                    "author": await _person(connection, message["author_id"]),
                }
                for message in await _newest(connection, row, messages)
            ],
        }
        for row in rows
    ]


async def _inbox(connection: Connection, rows: list[Any]) -> Any:
    answer = []
    for row in rows:
        (last,) = await _newest(connection, row, 1)
        author = await _person(connection, last["author_id"])
        answer.append(
            {
                "id": row["id"],
                "title": row["title"],
                "messageCount": row["message_count"],
                "lastMessageAt": row["last_message_at"],
                "owner": await _person(connection, row["owner_id"]),
                "lastMessage": {
                    "id": last["id"],
                    "content": last["content"],
                    "createdAt": last["created_at"],
                    "author": author and {"username": author["username"]},
                },
            }
        )
    return answer


async def _newest(connection: Connection, conversation: Any, number: int) -> list[Any]:
    return await connection.fetch(
        "SELECT * FROM messages WHERE tenant_id = $1 AND conversation_id = $2"
        " ORDER BY sequence DESC LIMIT $3",
        conversation["tenant_id"],
        conversation["id"],
        number,
    )


async def _person(connection: Connection, id: UUID | None) -> Any:
    username = id and await connection.fetchval("SELECT username FROM users WHERE id = $1", id)
    return username and {"id": id, "username": username}


async def expected_message(connection: Connection, target: Target, content: str) -> Any:
    """What was sent last."""
    (row,) = await _newest(
        connection, {"tenant_id": target.tenant_id, "id": target.conversation_id}, 1
    )
    return {
        "id": row["id"],
        "role": "USER",
        "content": content,
        "tokenCount": TOKEN_COUNT,
        "createdAt": row["created_at"],
        "author": await _person(connection, target.user_id),
    }

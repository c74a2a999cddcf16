"""What the statement that sends a message looks at, in a database that has a million of them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import orjson

from benchmarks.search import fill
from ops.database import create_database
from ops.migrate import migrate
from ops.progress import silent
from resolvers import message_sending
from resolvers.message import MessageRole
from tables.engine import DB, Row

COUNTERS = """
    UPDATE conversations c SET (last_sequence, version, message_count) = (
        SELECT max(m.sequence), max(m.version), count(*) FROM messages m
        WHERE m.tenant_id = c.tenant_id AND m.conversation_id = c.id)
"""
EXPLAIN = f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {message_sending._SEND}"


async def prepare(socket: Path, name: str) -> None:
    """A database."""
    await create_database(socket, name)
    await migrate(f"postgresql://parley_owner@/{name}?host={socket}", silent)


async def print_plan(socket: Path) -> None:
    await prepare(socket, "million")
    connection = await asyncpg.connect(user="postgres", database="million", host=str(socket))
    await fill(connection)
    await connection.execute(COUNTERS)
    await connection.execute("VACUUM ANALYZE conversations")
    part = await connection.fetchrow("SELECT * FROM participants LIMIT 1")
    await connection.close()
    assert part is not None
    await DB.open(f"postgresql://parley_app@/million?host={socket}")
    place = (part["tenant_id"], part["user_id"], part["conversation_id"])
    said: tuple[object, ...] = (MessageRole.USER, "one more", None, {}, [])
    for key in ("a key", "another"):  # the first reads from the disk
        async with DB.tenant(part["tenant_id"]):
            (row,) = await DB.fetch(Row, EXPLAIN, *place, *said, key, b"digest")
    await DB.close()
    (explained,) = orjson.loads(row[0])
    print_explained(explained)


def print_explained(explained: dict[str, Any]) -> None:
    print(f"\nthe statement, of a million messages: {explained['Execution Time']:.1f} ms")
    for node in looks(explained["Plan"]):
        name = node.get("Index Name", node.get("Relation Name"))
        print(
            f"  {node['Node Type']:16} {name:40} {node['Actual Rows']:4.0f} rows"
            f" {node['Shared Hit Blocks']:5} buffers"
        )
    for trigger in explained["Triggers"]:
        name = trigger.get("Constraint Name", trigger["Trigger Name"])
        print(f"  {'Trigger':16} {name:40} {trigger['Time']:7.2f} ms")


def looks(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Nodes of a plan that look at a table."""
    if "Index Name" in node or "Relation Name" in node:
        yield node
    for child in node.get("Plans", ()):
        yield from looks(child)

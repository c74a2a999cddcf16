"""What is written in a room, and what a client must hear of it."""

import random
from collections.abc import AsyncIterator
from uuid import UUID

import asyncpg
import pytest

from resolvers.message_change import Cursors
from resolvers.message_editing import delete_message, edit_message, restore_message
from resolvers.message_sending import send_message
from tests.resolvers.hubs import CALLER, Room, viewer
from tests.schema.workspace import Workspace


@pytest.fixture
async def room(acme: Workspace) -> AsyncIterator[Room]:
    """Of bob, who owns it, and carl."""
    room = Room(acme, await acme.talk("bob", "carl"))
    yield room
    for ear in room.ears:
        await ear.close()


async def write(room: Room, name: str, times: int, seed: int = 0) -> None:
    """Sends, and now and then edits, deletes and restores what was sent."""
    chance, who = random.Random(seed), viewer(room.workspace, name)
    root = viewer(room.workspace, "root")
    mine: list[UUID] = []
    gone: list[UUID] = []
    for number in range(times):
        match chance.choice("sssede" + "r" * bool(gone)):
            case "e" if mine:
                await edit_message(who, chance.choice(mine), f"edit {number}")
            case "d" if mine:
                gone.append(mine.pop(chance.randrange(len(mine))))
                await delete_message(root, CALLER, gone[-1])
            case "r" if gone:
                mine.append(gone.pop())
                await restore_message(root, CALLER, mine[-1])
            case _:
                mine.append((await send_message(who, room.id, f"{name} {number}")).id)


async def truth(room: Room) -> list[tuple[str, UUID, int]]:
    """All that happened, as the tables have it."""
    return await history(room.workspace.cast.connection, room.id)


async def history(
    connection: "asyncpg.Connection[asyncpg.Record]", conversation_id: UUID
) -> list[tuple[str, UUID, int]]:
    """In the order of versions."""
    rows = await connection.fetch(
        """SELECT kind, message_id, version FROM message_changes WHERE conversation_id = $1
        UNION SELECT 'ADDED', id, version FROM messages m WHERE conversation_id = $1
            AND NOT EXISTS (SELECT FROM message_changes c WHERE c.message_id = m.id)
        ORDER BY version""",
        conversation_id,
    )
    return [(row["kind"], row["message_id"], row["version"]) for row in rows]


async def version(room: Room) -> int:
    found: int = await room.workspace.cast.connection.fetchval(
        "SELECT version FROM conversations WHERE id = $1", room.id
    )
    return found


def missed(happened: list[tuple[str, UUID, int]], after: int) -> list[tuple[str, UUID, int]]:
    """What a client hears that knows all up to a version."""
    last: dict[UUID, tuple[str, UUID, int]] = {}
    added = {id for kind, id, at in happened if kind == "ADDED" and at > after}
    for kind, id, at in happened:
        if at > after:
            last[id] = (kind if id not in added or kind == "DELETED" else "ADDED", id, at)
    return sorted(last.values(), key=lambda change: change[2])


def cursor(room: Room, version: int) -> str:
    return Cursors(room.workspace.id, room.id).cursor(version)

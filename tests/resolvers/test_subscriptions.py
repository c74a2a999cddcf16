"""Changes of messages, in order and each once, across processes."""

from collections.abc import AsyncIterator

import pytest

from resolvers.message_editing import delete_message, edit_message, restore_message
from resolvers.message_sending import send_message
from tests.conftest import Database
from tests.resolvers.hubs import CALLER, Room, hubs, told, viewer
from tests.schema.conftest import acme, cast, client
from tests.schema.workspace import Workspace

__all__ = ["acme", "cast", "client"]


@pytest.fixture
async def room(acme: Workspace) -> AsyncIterator[Room]:
    room = Room(acme, await acme.talk("bob", "carl"))
    yield room
    for ear in room.ears:
        await ear.close()


async def test_each_change_comes_once_and_in_order(database: Database, room: Room) -> None:
    bob, root = viewer(room.workspace, "bob"), viewer(room.workspace, "root")
    await send_message(bob, room.id, "before")
    async with hubs(database) as (there, here):
        ears = [await room.ear(services, "carl") for services in (there, here)]
        first = (await send_message(bob, room.id, "one")).id
        second = (await send_message(bob, room.id, "two")).id
        await edit_message(bob, first, "one!")
        await delete_message(root, CALLER, first)
        await restore_message(root, CALLER, first)
        await delete_message(root, CALLER, second)
        for ear in ears:
            assert told(await ear.hears(6)) == [
                ("ADDED", first, 2),
                ("ADDED", second, 3),
                ("EDITED", first, 4),
                ("DELETED", first, 5),
                ("RESTORED", first, 6),
                ("DELETED", second, 7),
            ]
            contents = [change.message.content for change in ear.heard]
            assert contents[-1] == ""

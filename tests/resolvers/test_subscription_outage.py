"""PostgreSQL stops, and starts again."""

import asyncio
from pathlib import Path

import httpx

from ops.database import create_database
from ops.migrate import migrate
from ops.postgres import running
from ops.postgres_cluster import Cluster
from ops.progress import silent
from resolvers.message_sending import send_message
from tables.engine import DB
from tests.conftest import Database
from tests.graph import Cast, Client
from tests.ops.places import temporary_place
from tests.resolvers.hubs import SOON, Ear, Room, hubs, told, viewer
from tests.resolvers.writing import truth
from tests.schema.workspace import open_workspace


async def test_a_restart_is_survived(tmp_path: Path) -> None:
    """By who listens on, and by who has just come, and nothing is lost."""
    with temporary_place() as place, running(place / "postgres") as socket:
        database = Database(socket, "parley")
        await create_database(socket)
        await migrate(database.url("parley_owner"), silent)
        await DB.open(database.url("parley_app"), size=8)
        try:
            await _restart(database, Cluster.at(place / "postgres", silent))
        finally:
            await DB.close(timeout=2)


async def _restart(database: Database, cluster: Cluster) -> None:
    workspace = await open_workspace(
        Cast(await database.connect()), Client(httpx.AsyncClient()), "acme"
    )
    room = Room(workspace, await workspace.talk("bob", "carl"))
    bob = viewer(workspace, "bob")
    async with hubs(database) as both:
        ears: list[Ear] = [await room.ear(services, "carl") for services in both]
        first = await send_message(bob, room.id, "before")
        for ear in ears:
            await ear.hears(1)
        after = ears[0].heard[0].cursor
        await asyncio.to_thread(cluster.stop)
        ears += [room.unready(services, "carl", after) for services in both]
        await asyncio.sleep(1.5)
        assert [ear.error for ear in ears] == [None] * 4
        await asyncio.to_thread(cluster.start)
        workspace.cast.connection = await database.connect()
        second = await workspace.message(room.id, "bob")
        third = await send_message(bob, room.id, "after")
        happened = await truth(room)
        assert [id for _, id, _ in happened] == [first.id, second, third.id]
        for ear, expected in zip(
            ears, [happened, happened, happened[1:], happened[1:]], strict=True
        ):
            assert told(await ear.hears(len(expected), 3 * SOON)) == expected
        for ear in ears:
            await ear.close()
    await workspace.cast.connection.close()

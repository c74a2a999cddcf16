"""Changes of messages, in order and each once, across processes."""

import asyncio

from pydantic import SecretStr

from resolvers.message_editing import delete_message, edit_message, restore_message
from resolvers.message_sending import send_message
from tests.conftest import Database
from tests.resolvers.hubs import CALLER, Ear, Room, hub, hubs, later, told, viewer
from tests.resolvers.writing import cursor, missed, room, truth, write
from tests.schema.conftest import acme, cast, client
from tests.tables.world import pool_is_whole
from tests.valkey import ValkeyServer, valkey

__all__ = ["acme", "cast", "client", "room", "valkey"]


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


async def test_a_lost_wake_up_heals(database: Database, room: Room) -> None:
    """As does a row that psql wrote."""
    async with hubs(database, subscription_poll_seconds=0.3) as (there, here):
        here.subscriptions.bus._hear = there.subscriptions.bus._hear = lambda _: None
        ears = [await room.ear(services, "carl") for services in (there, here)]
        message = await send_message(viewer(room.workspace, "bob"), room.id, "one")
        by_psql = await room.workspace.message(room.id, "bob")
        for ear in ears:
            assert told(await ear.hears(2)) == [("ADDED", message.id, 1), ("ADDED", by_psql, 2)]


async def test_it_heals_where_others_never_stop(database: Database, room: Room) -> None:
    """Their wake-ups must not put off the look at all the rest."""
    bob, busy = viewer(room.workspace, "bob"), await room.workspace.talk("bob", "root")

    async def talk() -> None:
        while True:
            await send_message(bob, busy, "and so on")

    async with hub(database, subscription_poll_seconds=0.5) as here:
        here.invalidations.on_notes = None
        others = here.subscriptions.message_changes(
            viewer(room.workspace, "root"), later(), busy, None
        )
        room.ears.append(Ear(others).listen())
        carls = await room.ear(here, "carl")
        talking = asyncio.create_task(talk())
        await asyncio.sleep(0.2)
        by_psql = await room.workspace.message(room.id, "bob")
        try:
            assert told(await carls.hears(1)) == [("ADDED", by_psql, 1)]
        finally:
            talking.cancel()


async def test_the_listener_is_killed(database: Database, room: Room) -> None:
    bob = viewer(room.workspace, "bob")
    admin = await database.connect("postgres")
    async with hubs(database) as (there, here):
        ears = [await room.ear(services, "carl") for services in (there, here)]
        for count in (1, 2):
            await admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'parley bus' AND datname = current_database()"
            )
            await send_message(bob, room.id, "while nobody hears")
            for ear in ears:
                await ear.hears(count)
    await admin.close()


async def test_every_connection_is_killed(database: Database, room: Room) -> None:
    """They neither end nor lose anything."""
    bob = viewer(room.workspace, "bob")
    admin = await database.connect("postgres")
    async with hubs(database, subscription_poll_seconds=0.2) as both:
        ears = [await room.ear(services, "carl") for services in both]
        for number in range(1, 6):
            await admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE usename = 'parley_app' AND datname = current_database()"
            )
            await send_message(bob, room.id, "after that")
            for ear in ears:
                await ear.hears(number)
    await admin.close()


async def test_valkey_dies_and_comes_back(
    database: Database, room: Room, valkey: ValkeyServer
) -> None:
    bob = viewer(room.workspace, "bob")
    async with hubs(database, valkey_url=SecretStr(valkey.url)) as both:
        ears = [await room.ear(services, "carl") for services in both]
        await send_message(bob, room.id, "one")
        for ear in ears:
            await ear.hears(1)
        valkey.stop()
        await send_message(bob, room.id, "two")
        valkey.start()
        for ear in ears:
            await ear.hears(2)
        await send_message(bob, room.id, "three")
        for ear in ears:
            await ear.hears(3)


async def test_who_is_slow_is_told_to_come_back(database: Database, room: Room) -> None:
    async with hub(database, subscription_queue=10) as here:
        slow, quick = await room.ear(here, "carl", pause=0.5), await room.ear(here, "bob")
        await write(room, "bob", 60)
        happened = await truth(room)
        assert await slow.ends() == "SLOW_CONSUMER"
        assert told(await quick.hears(len(happened))) == happened
        seen = slow.heard[-1]
        again = await room.ear(here, "carl", seen.cursor)
        rest = missed(happened, seen.version)
        assert told(await again.hears(len(rest))) == rest


async def test_the_reader_ends_with_its_last_subscriber(database: Database, room: Room) -> None:
    async with hub(database) as here:
        subscriptions, before = here.subscriptions, asyncio.all_tasks()
        ears = [await room.ear(here, name) for name in ("bob", "carl", "carl")]
        for ear in ears:
            assert list(subscriptions._readers) == [room.workspace.id]
            await ear.close()
        assert not subscriptions._readers
        assert not subscriptions._by_key
        await asyncio.sleep(0.1)
        assert asyncio.all_tasks() <= before
    assert await pool_is_whole(database)


async def test_cancelled_at_every_step(database: Database, room: Room) -> None:
    """Whatever it waits for: nothing is left behind, and nobody else is disturbed."""
    await write(room, "bob", 10)
    async with hub(database) as here:
        other = await room.ear(here, "bob")
        for steps in range(120):
            ear = room.unready(here, "carl", cursor(room, 0))
            for _ in range(steps):
                await asyncio.sleep(0)
            await asyncio.sleep(steps % 7 / 1000)
            await ear.close()
            (reader,) = here.subscriptions._readers.values()
            assert len(reader.listeners) == 1
        await send_message(viewer(room.workspace, "bob"), room.id, "still there")
        await other.hears(1)
        await other.close()
        assert await pool_is_whole(database)


async def test_a_stopping_server_says_so(database: Database, room: Room) -> None:
    async with hub(database) as here:
        ear = await room.ear(here, "carl")
        who = viewer(room.workspace, "bob")
        idle = asyncio.create_task(here.subscriptions.ended(who, later()))
        await asyncio.sleep(0.1)
    assert await ear.ends() == "GOING_AWAY"
    assert (await idle).code == "GOING_AWAY"
    assert await room.unready(here, "carl").ends() == "GOING_AWAY"

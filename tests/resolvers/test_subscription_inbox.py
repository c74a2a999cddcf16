"""What is new in the conversations that somebody takes part in."""

import asyncio
from typing import Any
from uuid import UUID

import pytest

from core.viewer import Viewer
from resolvers.conversation_writing import (
    create_conversation,
    delete_conversation,
    rename_conversation,
    restore_conversation,
)
from resolvers.message_sending import send_message
from resolvers.participant_management import add_participant, remove_participant
from resolvers.services import Services
from tables.engine import DB
from tests.conftest import Database
from tests.resolvers.hubs import CALLER, SOON, Ear, Room, hub, hubs, later, viewer
from tests.resolvers.writing import room
from tests.schema.conftest import acme, cast, client
from tests.tables.plans import AS_IT_IS, blocks, indexes, plan, sent

__all__ = ["acme", "cast", "client", "room"]


async def inbox(services: Services, room: Room, name: str, **more: Any) -> Ear:
    """That hears all from now on."""
    stream = services.subscriptions.inbox_changes(viewer(room.workspace, name), later())
    ear = Ear(stream, **more).listen()
    room.ears.append(ear)

    def is_new() -> bool:
        reader = services.subscriptions._readers.get(room.workspace.id)
        user = room.workspace.user(name)
        listeners = reader.inboxes.listeners if reader else ()
        mine = [one.is_new for one in listeners if one.identity.user_id == user]
        return not mine or any(mine)

    async with asyncio.timeout(SOON):
        while ear.error is None and is_new():
            await asyncio.sleep(0.005)
    return ear


async def settled(ear: Ear, count: int, **expected: Any) -> None:
    """It has heard of so many at most, and the last says what is expected."""
    async with asyncio.timeout(SOON):
        while not ear.heard or any(
            getattr(ear.heard[-1], name) != value for name, value in expected.items()
        ):
            await asyncio.sleep(0.01)
    assert 0 < len(ear.heard) <= count
    ear.heard.clear()


async def test_whatever_changes(database: Database, room: Room) -> None:
    bob, ada = viewer(room.workspace, "bob"), viewer(room.workspace, "ada")
    carl_id = room.workspace.user("carl")
    async with hubs(database) as both:
        carls = [await inbox(services, room, "carl") for services in both]
        other = [await inbox(services, room, name) for name in ("ada", "root") for services in both]

        async def all_settled(**expected: Any) -> None:
            for ear in carls:
                await settled(ear, 1, **expected)

        await send_message(bob, room.id, "one")
        await all_settled(id=room.id, message_count=1, unread_count=1)
        await rename_conversation(bob, room.id, "New")
        await all_settled(id=room.id, title="New", unread_count=1)
        talk = await create_conversation(bob, "Another", [carl_id])
        await all_settled(id=talk.id, title="Another")
        await remove_participant(bob, CALLER, room.id, carl_id)
        await send_message(bob, room.id, "without carl")
        await rename_conversation(bob, talk.id, "Yet another")
        await all_settled(id=talk.id, title="Yet another")
        await add_participant(bob, CALLER, room.id, carl_id)
        await all_settled(id=room.id, unread_count=2)
        await delete_conversation(ada, CALLER, room.id)
        await restore_conversation(ada, CALLER, room.id)
        await all_settled(id=room.id, deleted_at=None)
        assert [ear.heard for ear in other] == [[]] * 4, "admins hear of their own only"
        await add_participant(ada, CALLER, room.id, ada.user_id)
        for ear in other[:2]:
            await settled(ear, 1, id=room.id)
        await delete_conversation(bob, CALLER, room.id)
        for ear in other[:2]:
            async with asyncio.timeout(SOON):
                while not ear.heard:
                    await asyncio.sleep(0.01)
            assert ear.heard[-1].deleted_at is not None
        assert all(change.deleted_at is None for ear in carls for change in ear.heard)


async def test_one_workspace_hears_nothing_of_another(database: Database, room: Room) -> None:
    cast = room.workspace.cast
    globex = await cast.tenant("globex")
    for name in ("bob", "carl"):
        await cast.member(globex, cast.people[name].id)
    people = [cast.people[name].id for name in ("bob", "carl")]
    there = await cast.conversation(globex, *people)
    async with hub(database) as here:
        ear = await inbox(here, room, "carl")
        bob = viewer(room.workspace, "bob")
        elsewhere = Viewer(bob.user_id, bob.session_id, globex, bob.role)
        await send_message(elsewhere, there, "not here")
        await send_message(bob, room.id, "here")
        (heard,) = await ear.hears(1)
        assert heard.id == room.id


async def test_what_nobody_told_of_is_found(database: Database, room: Room) -> None:
    """A long transaction, and psql; and nothing of what was before."""
    connection = await database.connect()
    await room.workspace.message(room.id, "bob")
    async with hub(database, subscription_poll_seconds=0.2) as here:
        here.subscriptions.bus._hear = lambda _: None
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute("UPDATE conversations SET title = 'Late' WHERE id = $1", room.id)
        ear = await inbox(here, room, "carl")
        bob = await inbox(here, room, "bob")
        talk = await create_conversation(
            viewer(room.workspace, "bob"), "Quick", [room.workspace.user("carl")]
        )
        await ear.hears(1)
        await asyncio.sleep(0.5)
        await transaction.commit()
        for heard in (await ear.hears(2), await bob.hears(2)):
            assert [(one.id, one.title) for one in heard] == [
                (talk.id, "Quick"),
                (room.id, "Late"),
            ]
        await asyncio.sleep(0.6)
        await ear.hears(2)
    await connection.close()


async def test_the_latest_state_is_enough(database: Database, room: Room) -> None:
    async with hub(database) as here:
        slow = await inbox(here, room, "carl", pause=0.2)
        bob = viewer(room.workspace, "bob")
        for number in range(100):
            await send_message(bob, room.id, f"{number}")
        await settled(slow, 60, message_count=100)


async def test_too_many_wait(database: Database, room: Room) -> None:
    async with hub(database, subscription_queue=5) as here:
        slow = await inbox(here, room, "carl", pause=3)
        bob, carl = viewer(room.workspace, "bob"), room.workspace.user("carl")
        for number in range(12):
            await create_conversation(bob, f"{number}", [carl])
        assert await slow.ends() == "SLOW_CONSUMER"


async def test_who_leaves_the_workspace(database: Database, room: Room) -> None:
    async with hub(database) as here:
        ear = await inbox(here, room, "carl")
        await room.workspace.cast.connection.execute("UPDATE memberships SET is_active = false")
        assert await ear.ends() == "FORBIDDEN"
        assert not here.subscriptions._readers


async def test_a_poll_reads_what_is_new_only(
    database: Database, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = room.workspace.cast.connection
    await connection.execute(
        """INSERT INTO conversations (tenant_id, short_id, title, updated_at, created_at)
        SELECT $1, n::text, n::text, now() - n * interval '1 min', now() - n * interval '1 min'
        FROM generate_series(1, 20000) n""",
        room.workspace.id,
    )
    await connection.execute(
        """INSERT INTO participants (tenant_id, conversation_id, user_id)
        SELECT tenant_id, id, $1 FROM conversations c WHERE NOT EXISTS (SELECT FROM participants p
            WHERE p.conversation_id = c.id AND p.user_id = $1)""",
        room.workspace.user("carl"),
    )
    await connection.execute("ANALYZE conversations, participants")
    asked = sent(monkeypatch)
    async with hub(database, subscription_poll_seconds=0.1) as here:
        await inbox(here, room, "carl")
        await asyncio.sleep(0.5)
        statement, values = next(a for a in reversed(asked) if "c.updated_at > $2" in a[0])
    ids: list[UUID] = values[2]  # type: ignore[assignment]
    async with DB.tenant(room.workspace.id):
        people = f"{{{','.join(map(str, ids))}}}"
        lines = await plan(statement, [values[0], values[1], people], AS_IT_IS)
    assert "conversations_updated" in indexes(lines)
    assert blocks(lines) < 100

"""Nobody hears of what they may not see, and nobody listens on who no longer may."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

import pytest

from core.viewer import TenantRole, Viewer
from resolvers import reader
from resolvers.conversation_writing import delete_conversation
from resolvers.listener import Listener
from resolvers.listening import Standing, standing_of
from resolvers.membership_management import change_member_role, remove_member
from resolvers.message_sending import send_message
from resolvers.participant_management import remove_participant
from resolvers.services import Services
from tests.conftest import Database
from tests.graph import Cast
from tests.resolvers.hubs import CALLER, SOON, Ear, Room, hub, hubs, later, viewer
from tests.resolvers.writing import cursor, room, write
from tests.schema.conftest import acme, cast, client

__all__ = ["acme", "cast", "client", "room"]

PROMISED = 2.0
SLACK = 3.0
"""Of a machine that does much else."""

Way = Callable[[Services, Room], Awaitable[object]]


def _psql(sql: str) -> Way:
    async def run(_: Services, room: Room) -> None:
        people = room.workspace.cast.people
        values = {
            "carl": people["carl"].id,
            "root": people["root"].id,
            "session": people["carl"].session_id,
            "talk": room.id,
            "tenant": room.workspace.id,
        }
        quoted = {name: f"'{value}'" for name, value in values.items()}
        await room.workspace.cast.connection.execute(sql.format(**quoted))

    return run


def _rule(rule: Callable[[Services, Viewer, Room], Awaitable[object]]) -> Way:
    async def run(services: Services, room: Room) -> None:
        await rule(services, viewer(room.workspace, "ada"), room)

    return run


WAYS: dict[str, tuple[Way, str]] = {
    "session revoked": (
        _psql("UPDATE sessions SET revoked_at = now() WHERE id = {session}"),
        "UNAUTHENTICATED",
    ),
    "session deleted": (_psql("DELETE FROM sessions WHERE id = {session}"), "UNAUTHENTICATED"),
    "person disabled": (
        _psql("UPDATE users SET is_active = false WHERE id = {carl}"),
        "UNAUTHENTICATED",
    ),
    "person deleted": (_psql("DELETE FROM users WHERE id = {carl}"), "UNAUTHENTICATED"),
    "member removed": (
        _psql("UPDATE memberships SET is_active = false WHERE user_id = {carl}"),
        "FORBIDDEN",
    ),
    "member removed by a rule": (
        _rule(
            lambda services, ada, room: remove_member(
                services, ada, CALLER, room.workspace.user("carl")
            )
        ),
        "FORBIDDEN",
    ),
    "role changed": (
        _rule(
            lambda services, ada, room: change_member_role(
                services, ada, CALLER, room.workspace.user("carl"), TenantRole.ADMIN
            )
        ),
        "ROLE_CHANGED",
    ),
    "participant removed": (
        _psql("DELETE FROM participants WHERE conversation_id = {talk} AND user_id = {carl}"),
        "NOT_FOUND",
    ),
    "participant removed by a rule": (
        _rule(
            lambda _, ada, room: remove_participant(
                ada, CALLER, room.id, room.workspace.user("carl")
            )
        ),
        "NOT_FOUND",
    ),
    "conversation deleted": (
        _psql("UPDATE conversations SET deleted_at = now() WHERE id = {talk}"),
        "NOT_FOUND",
    ),
    "conversation deleted by a rule": (
        _rule(lambda _, ada, room: delete_conversation(ada, CALLER, room.id)),
        "NOT_FOUND",
    ),
    "conversation gone": (_psql("DELETE FROM conversations WHERE id = {talk}"), "NOT_FOUND"),
    "workspace gone": (_psql("DELETE FROM tenants WHERE id = {tenant}"), "FORBIDDEN"),
}


@pytest.mark.parametrize("way", WAYS)
async def test_who_loses_the_right_is_ended(database: Database, room: Room, way: str) -> None:
    lose, code = WAYS[way]
    async with hubs(database) as (there, here):
        ears = [await room.ear(services, "carl") for services in (there, here)]
        began = time.monotonic()
        await lose(here, room)
        for ear in ears:
            assert await ear.ends() == code
        assert time.monotonic() - began < PROMISED + SLACK
        assert [ear.heard for ear in ears] == [[], []]
        for services in (there, here):
            assert await room.unready(services, "carl").ends() == code


async def test_others_listen_on(database: Database, room: Room) -> None:
    async with hubs(database) as (there, here):
        carl, bob = await room.ear(there, "carl"), await room.ear(there, "bob")
        ada = viewer(room.workspace, "ada")
        await remove_participant(ada, CALLER, room.id, room.workspace.user("carl"))
        await send_message(viewer(room.workspace, "bob"), room.id, "we are alone")
        assert await carl.ends() == "NOT_FOUND"
        assert carl.heard == []
        await bob.hears(1)
        assert (await room.ear(here, "root")).error is None, "an admin looks on"


async def test_an_admin_who_looked_on(database: Database, room: Room) -> None:
    async with hub(database) as here:
        root = await room.ear(here, "root")
        await change_member_role(
            here,
            viewer(room.workspace, "ada"),
            CALLER,
            room.workspace.user("root"),
            TenantRole.MEMBER,
        )
        assert await root.ends() == "ROLE_CHANGED"
        stream = here.subscriptions.message_changes(
            viewer(room.workspace, "root", TenantRole.MEMBER), later(), room.id, None
        )
        ear = Ear(stream).listen()
        assert await ear.ends() == "NOT_FOUND"


async def test_nothing_is_told_that_was_said_after(
    database: Database, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However late the notes are: what is read is read with the right to it."""
    async with hub(database) as here:
        here.invalidations.on_notes = None
        carl = await room.ear(here, "carl")
        connection = room.workspace.cast.connection
        for _ in range(3):
            await connection.execute(
                "DELETE FROM participants WHERE user_id = $1", room.workspace.user("carl")
            )
            await send_message(viewer(room.workspace, "bob"), room.id, "about carl")
            assert await carl.ends() == "NOT_FOUND"
            assert carl.heard == []
            await room.workspace.cast.insert(
                "participants",
                tenant_id=room.workspace.id,
                conversation_id=room.id,
                user_id=room.workspace.user("carl"),
            )
            carl = await room.ear(here, "carl")


async def test_who_is_asked_for_alone_does_not_bring_news_to_others(
    database: Database, room: Room
) -> None:
    async with hub(database) as here:
        here.invalidations.on_notes = None
        here.subscriptions.bus._hear = lambda _: None
        carl, bob = await room.ear(here, "carl"), await room.ear(here, "bob")
        await asyncio.sleep(0.3)
        await room.workspace.cast.connection.execute(
            "DELETE FROM participants WHERE user_id = $1", room.workspace.user("carl")
        )
        await room.workspace.message(room.id, "bob")
        (theirs,) = here.subscriptions._readers.values()
        theirs.suspect(
            listener
            for listener in theirs.listeners
            if listener.identity.user_id == room.workspace.user("bob")
        )
        await bob.hears(1)
        assert await carl.ends() == "NOT_FOUND"
        assert carl.heard == []


async def test_who_comes_while_others_are_read_to(
    database: Database, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And loses the right before it is read: that was not asked of them."""
    asking, ask = asyncio.Event(), asyncio.Event()

    async def standing_late(tenant_id: UUID | None, listeners: Sequence[Listener]) -> Standing:
        asking.set()
        await ask.wait()
        return await standing_of(tenant_id, listeners)

    async with hub(database) as here:
        here.invalidations.on_notes = None
        bob = await room.ear(here, "bob")
        await asyncio.sleep(0.3)
        monkeypatch.setattr(reader, "standing_of", standing_late)
        await send_message(viewer(room.workspace, "bob"), room.id, "to both")
        await asking.wait()
        carl = await room.ear(here, "carl")
        await room.workspace.cast.connection.execute(
            "DELETE FROM participants WHERE user_id = $1", room.workspace.user("carl")
        )
        await send_message(viewer(room.workspace, "bob"), room.id, "about carl")
        ask.set()
        await bob.hears(2)
        assert await carl.ends() == "NOT_FOUND"
        assert carl.heard == []


async def test_a_replay_ends_too(database: Database, room: Room) -> None:
    await write(room, "bob", 30)
    async with hub(database) as here:
        carl = room.unready(here, "carl", cursor(room, 0), pause=0.2)
        while not carl.heard:
            await asyncio.sleep(0.01)
        await room.workspace.cast.connection.execute("UPDATE sessions SET revoked_at = now()")
        assert await carl.ends() == "UNAUTHENTICATED"
        assert len(carl.heard) < 20


async def test_a_token_expires(database: Database, room: Room) -> None:
    async with hub(database) as here:
        ear = room.unready(here, "carl", seconds=1)
        await asyncio.sleep(0.5)
        assert ear.error is None
        assert await ear.ends(PROMISED + SLACK) == "UNAUTHENTICATED"
        assert await room.unready(here, "carl", seconds=-1).ends() == "UNAUTHENTICATED"


async def test_it_expires_while_the_database_is_away(database: Database, room: Room) -> None:
    async with hub(database, subscription_poll_seconds=0.2) as here:
        ears = [room.unready(here, name, seconds=2.5) for name in ("bob", "carl")]
        await asyncio.sleep(0.5)
        admin = await database.connect("postgres")
        await admin.execute(f"ALTER DATABASE {database.name} CONNECTION LIMIT 0")
        await admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'parley_app'"
            " AND datname = current_database()"
        )
        assert [ear.error for ear in ears] == [None, None]
        late = room.unready(here, "carl", seconds=1)
        for ear in (*ears, late):
            assert await ear.ends() == "UNAUTHENTICATED"
        await admin.execute(f"ALTER DATABASE {database.name} CONNECTION LIMIT -1")
        await admin.close()


async def test_a_stranger_finds_nothing(database: Database, room: Room, cast: Cast) -> None:
    globex = await cast.tenant("globex")
    eve = await cast.person("eve", globex)
    await cast.member(globex, eve.id, "OWNER")
    await cast.member(room.workspace.id, eve.id, "MEMBER")
    await write(room, "bob", 3)
    async with hub(database) as here:
        for tenant, role in (
            (globex, TenantRole.OWNER),
            (room.workspace.id, TenantRole.MEMBER),
        ):
            for after in (None, "x", cursor(room, 0), cursor(room, 99)):
                stream = here.subscriptions.message_changes(
                    Viewer(eve.id, eve.session_id, tenant, role), later(), room.id, after
                )
                assert await Ear(stream).listen().ends() == "NOT_FOUND"


@pytest.mark.parametrize("way", ["session revoked", "session deleted", "person disabled"])
async def test_who_only_waits_hears_of_the_end(database: Database, room: Room, way: str) -> None:
    async with hubs(database) as both:
        carl = viewer(room.workspace, "carl")
        waiting = [
            asyncio.create_task(services.subscriptions.ended(carl, later())) for services in both
        ]
        _, still = await asyncio.wait(waiting, timeout=1)
        assert len(still) == 2
        await WAYS[way][0](both[0], room)
        async with asyncio.timeout(SOON):
            assert [error.code for error in await asyncio.gather(*waiting)] == [
                "UNAUTHENTICATED"
            ] * 2
        error = await both[0].subscriptions.ended(carl, later())
        assert error.code == "UNAUTHENTICATED"
        assert not both[0].subscriptions._readers


async def test_who_only_waits_and_whose_token_expires(database: Database, room: Room) -> None:
    async with hub(database) as here:
        error = await here.subscriptions.ended(viewer(room.workspace, "carl"), later(0.5))
        assert error.code == "UNAUTHENTICATED"

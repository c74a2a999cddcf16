"""A client that comes back misses nothing, and gets nothing twice."""

import asyncio
import random
from contextlib import aclosing
from datetime import timedelta
from uuid import UUID

import pytest

from core.errors import BadInput, CursorExpired, RuleError
from core.settings import Settings
from ops.purge import purge
from resolvers import message_change, message_feed, message_replay
from resolvers.listening import Standing
from resolvers.message_change import Cursors
from resolvers.message_editing import delete_message, edit_message
from resolvers.message_replay import Replay
from resolvers.message_sending import send_message
from resolvers.services import Services
from tables.engine import DB
from tests.conftest import Database
from tests.resolvers.hubs import CALLER, SOON, Room, hub, hubs, later, told, viewer
from tests.resolvers.writing import cursor, missed, room, truth, version, write
from tests.schema.conftest import acme, cast, client
from tests.schema.workspace import Workspace
from tests.tables.plans import MODES, blocks, indexes, plan

__all__ = ["acme", "cast", "client", "room"]


@pytest.mark.parametrize("batch", [3, 200])
async def test_from_any_point(
    database: Database, room: Room, batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(message_replay, "BATCH", batch)
    await write(room, "bob", 40)
    happened = await truth(room)
    assert {kind for kind, *_ in happened} == {"ADDED", "EDITED", "DELETED", "RESTORED"}
    assert [at for *_, at in happened] == [*range(1, len(happened) + 1)]
    async with hub(database) as here:
        for after in range(0, len(happened) + 1, 3):
            expected = missed(happened, after)
            ear = room.unready(here, "carl", cursor(room, after))
            assert told(await ear.hears(len(expected))) == expected
            await ear.close()


@pytest.mark.parametrize("after", [None, 0])
async def test_twenty_writers(
    database: Database, room: Room, after: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (message_feed, message_replay):
        monkeypatch.setattr(module, "BATCH", 5)
    await write(room, "bob", 20)
    before = await version(room)
    async with hubs(database) as both:
        given = None if after is None else cursor(room, after)
        ears = [await room.ear(services, "carl", given) for services in both for _ in range(2)]
        await asyncio.gather(
            *(write(room, name, 10, seed) for name in ("bob", "carl") for seed in range(10))
        )
        happened = await truth(room)
        expected = [change for change in happened if change[2] > before]
        if after is not None:
            expected = missed(happened[:before], after) + expected
        for ear in ears:
            assert told(await ear.hears(len(expected), 3 * SOON)) == expected


async def test_a_long_replay_while_writers_write(
    database: Database, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What came before it began comes once, what came after that as it happened."""
    for module in (message_feed, message_replay):
        monkeypatch.setattr(module, "BATCH", 7)
    await write(room, "bob", 60)
    async with hub(database) as here:
        ears = [room.unready(here, "carl", cursor(room, 2), pause=0.01) for _ in range(3)]
        writers = [asyncio.create_task(write(room, "bob", 30, seed)) for seed in (1, 2, 3)]
        await asyncio.gather(*writers)
        last = await version(room)
        for ear in ears:
            async with asyncio.timeout(3 * SOON):
                while not ear.heard or ear.heard[-1].version < last:
                    await asyncio.sleep(0.01)
        happened = await truth(room)
        for ear in ears:
            heard = told(ear.heard)
            begun = next(n for n in range(60, last + 1) if _split(happened, n) == heard)
            assert begun >= 60


async def test_what_comes_during_a_replay_does_not_wait_in_the_queue(
    database: Database, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (message_feed, message_replay):
        monkeypatch.setattr(module, "BATCH", 7)
    await write(room, "bob", 10)
    async with hub(database, subscription_queue=20) as here:
        await room.ear(here, "bob")
        changes = here.subscriptions.message_changes(
            viewer(room.workspace, "carl"), later(), room.id, cursor(room, 0)
        )
        async with aclosing(changes):
            heard = [await anext(changes)]
            await write(room, "bob", 60, 1)
            await write(room, "bob", 40, 2)
            expected = missed((await truth(room))[:10], 0) + (await truth(room))[10:]
            async with asyncio.timeout(3 * SOON):
                heard += [await anext(changes) for _ in expected[1:]]
        assert told(heard) == expected


async def test_what_changes_before_the_replay_comes_to_it(
    database: Database, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It comes as what it was when the replay began, and then as what it became: never as an edit
    of a message that the client does not know."""
    for module in (message_feed, message_replay):
        monkeypatch.setattr(module, "BATCH", 1)
    bob, root = viewer(room.workspace, "bob"), viewer(room.workspace, "root")
    ids = [(await send_message(bob, room.id, "one")).id for _ in range(4)]
    await edit_message(bob, ids[2], "two")
    async with hub(database) as here:
        changes = here.subscriptions.message_changes(
            viewer(room.workspace, "carl"), later(), room.id, cursor(room, 0)
        )
        heard = [await anext(changes)]
        await edit_message(bob, ids[1], "three")
        await edit_message(bob, ids[2], "three")
        await delete_message(root, CALLER, ids[3])
        async with asyncio.timeout(SOON):
            heard += [await anext(changes) for _ in range(6)]
        assert told(heard) == [
            ("ADDED", ids[0], 1),
            ("ADDED", ids[1], 2),
            ("ADDED", ids[3], 4),
            ("ADDED", ids[2], 5),
            ("EDITED", ids[1], 6),
            ("EDITED", ids[2], 7),
            ("DELETED", ids[3], 8),
        ]
        await changes.aclose()


@pytest.mark.parametrize("after", [None, 3])
async def test_who_joins_a_reader_that_is_ahead(
    database: Database, room: Room, after: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has told what came between, before they joined."""
    await write(room, "bob", 5)
    async with hub(database) as here:
        bob = await room.ear(here, "bob")
        ask = Replay._version

        async def held_up(replay: Replay) -> int:
            found = await ask(replay)
            if len(bob.heard) < 4:
                await write(room, "bob", 4, 1)
                await bob.hears(4)
            return found

        monkeypatch.setattr(Replay, "_version", held_up)
        carl = await room.ear(here, "carl", None if after is None else cursor(room, after))
        await write(room, "bob", 1)
        happened = await truth(room)
        expected = happened[5:] if after is None else missed(happened[:5], after) + happened[5:]
        assert told(await carl.hears(len(expected))) == expected


async def test_who_joins_a_reader_that_is_behind(
    database: Database, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It tells later what they have been told already."""
    await write(room, "bob", 5)
    async with hub(database) as here:
        bob = await room.ear(here, "bob")
        (reader,) = here.subscriptions._readers.values()
        read, may_read = reader._read, asyncio.Event()

        async def held_up() -> None:
            await may_read.wait()
            await read()

        monkeypatch.setattr(reader, "_read", held_up)
        await write(room, "bob", 4, 1)
        carl = await room.ear(here, "carl", cursor(room, 5))
        happened = await truth(room)
        expected = missed(happened, 5)
        assert told(await carl.hears(len(expected))) == expected
        may_read.set()
        await bob.hears(4)
        last = await send_message(viewer(room.workspace, "bob"), room.id, "last")
        expected.append(("ADDED", last.id, 10))
        assert told(await carl.hears(len(expected))) == expected


def _split(happened: list[tuple[str, UUID, int]], at: int) -> list[tuple[str, UUID, int]]:
    return missed(happened[:at], 2) + happened[at:]


async def test_again_and_again_from_the_last_cursor(database: Database, room: Room) -> None:
    """Of a client that loses its connection after a few changes, all that it knows is right."""
    known: dict[UUID, tuple[str, bool]] = {}
    async with hubs(database) as both:
        writing = asyncio.gather(*(write(room, "bob", 20, seed) for seed in range(5)))
        after, chance, versions = cursor(room, 0), random.Random(1), [0]
        while not writing.done() or versions[-1] < await version(room):
            ear = room.unready(chance.choice(both), "carl", after)
            count = chance.randrange(1, 9)
            async with asyncio.timeout(SOON):
                while len(ear.heard) < count and not (
                    writing.done()
                    and versions[-1] + len(ear.heard)
                    and ear.heard
                    and ear.heard[-1].version == await version(room)
                ):
                    await asyncio.sleep(0.01)
            await ear.close()
            for change in ear.heard:
                assert (change.kind == "ADDED") == (change.message.id not in known) or (
                    change.kind == "DELETED"
                )
                known[change.message.id] = change.message.content, bool(change.message.deleted_at)
                versions.append(change.version)
                after = change.cursor
        await writing
    assert versions == sorted(set(versions))
    rows = await room.workspace.cast.connection.fetch("SELECT * FROM messages")
    assert known == {
        row["id"]: ("" if row["deleted_at"] else row["content"], bool(row["deleted_at"]))
        for row in rows
    }


async def _refused(services: Services, room: Room, after: str) -> RuleError:
    ear = room.unready(services, "carl", after)
    await ear.ends()
    assert ear.error
    assert ear.error.field == ("after",)
    return ear.error


async def test_cursors_of_something_else(database: Database, room: Room) -> None:
    await write(room, "bob", 5)
    other = await room.workspace.talk("bob", "carl")
    elsewhere = await room.workspace.cast.tenant("globex")
    good = cursor(room, 1)
    async with hub(database) as here:
        refusals = [
            await _refused(here, room, after)
            for after in (
                "",
                "x",
                "é",
                good[:-1],
                good + "AAAA",
                good.swapcase(),
                Cursors(room.workspace.id, other).cursor(1),
                Cursors(elsewhere, room.id).cursor(1),
                cursor(room, 6),
                cursor(room, 2**64 - 1),
            )
        ]
        assert {type(refusal) for refusal in refusals} == {BadInput}
        assert len({refusal.message for refusal in refusals}) == 1
        ear = await room.ear(here, "carl", cursor(room, 5))
        assert ear.heard == []


async def test_what_is_gone_is_refused_and_not_left_out(database: Database, room: Room) -> None:
    bob, root = viewer(room.workspace, "bob"), viewer(room.workspace, "root")
    first, second, *_ = [(await send_message(bob, room.id, f"{n}")).id for n in range(4)]
    await edit_message(bob, second, "edited")
    await delete_message(root, CALLER, first)
    await send_message(bob, room.id, "last")
    owner = room.workspace.cast.connection
    times = "SELECT updated_at FROM conversations WHERE id = $1"
    await owner.execute(
        "UPDATE messages SET deleted_at = now() - '9 days'::interval WHERE deleted_at IS NOT NULL"
    )
    async with hub(database) as here:
        assert len(await room.unready(here, "carl", cursor(room, 5)).hears(2)) == 2
        before = await owner.fetchval(times, room.id)
        settings = Settings(owner_database_url=database.url("parley_owner"))
        await purge(settings, timedelta(days=8), lambda line: None)
        for after in (0, 5):
            assert (await _refused(here, room, cursor(room, after))).code == "CURSOR_EXPIRED"
        assert [
            kind for kind, *_ in told(await room.unready(here, "carl", cursor(room, 6)).hears(1))
        ] == ["ADDED"]
        assert await owner.fetchval("SELECT count(*) FROM message_changes") == 2
        await purge(settings, timedelta(seconds=-1), lambda line: None)
        assert await owner.fetchval("SELECT count(*) FROM message_changes") == 0
        assert (
            await owner.fetchval(
                "SELECT forgotten_version FROM conversations WHERE id = $1", room.id
            )
            == 6
        )
        assert await owner.fetchval(times, room.id) == before, "nobody's news"
        await edit_message(bob, second, "edited again")
        ear = room.unready(here, "carl", cursor(room, 6))
        assert [kind for kind, *_ in told(await ear.hears(2))] == ["ADDED", "EDITED"]


async def test_many_who_come_back_do_not_hold_up_the_others(
    database: Database, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long it takes to tell them what they have missed."""
    asking = 0

    async def standing_never(*_: object) -> Standing:
        nonlocal asking
        asking += 1
        return await asyncio.Future()

    async with hub(database) as here:
        bob = await room.ear(here, "bob")
        monkeypatch.setattr(message_replay, "standing_of", standing_never)
        for _ in range(10):
            room.unready(here, "carl", cursor(room, 0))
        async with asyncio.timeout(SOON):
            while not asking:
                await asyncio.sleep(0.01)
        await send_message(viewer(room.workspace, "bob"), room.id, "new")
        await bob.hears(1)


async def test_what_is_forgotten_during_a_replay(
    database: Database, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That a message was added, of which only the edit is left: the client does not know it."""
    monkeypatch.setattr(message_replay, "BATCH", 1)
    bob, owner = viewer(room.workspace, "bob"), room.workspace.cast.connection
    first, second = [(await send_message(bob, room.id, f"{n}")).id for n in range(2)]
    await edit_message(bob, first, "edited")
    async with hub(database) as here:
        changes = here.subscriptions.message_changes(
            viewer(room.workspace, "carl"), later(), room.id, cursor(room, 0)
        )
        async with aclosing(changes):
            assert told([await anext(changes)]) == [("ADDED", second, 2)]
            await owner.execute(
                "UPDATE message_changes SET id = uuidv7('-9 days') WHERE kind = 'ADDED'"
            )
            settings = Settings(owner_database_url=database.url("parley_owner"))
            await purge(settings, timedelta(days=8), lambda line: None)
            with pytest.raises(CursorExpired):
                await anext(changes)


MANY = """INSERT INTO conversations (tenant_id, short_id, title, version, last_sequence)
    SELECT $1, n::text, 't', 1500, 1000 FROM generate_series(1, 20) n"""
SAID = """INSERT INTO messages (tenant_id, conversation_id, sequence, version, role, content)
    SELECT $1, c.id, n, CASE n WHEN 1 THEN 1500 ELSE n END, 'USER', 'hello'
    FROM conversations c, generate_series(1, 1000) n WHERE c.tenant_id = $1 AND version = 1500"""
EDITED = """INSERT INTO message_changes (tenant_id, conversation_id, message_id, version, kind)
    SELECT $1, m.conversation_id, m.id, n, 'EDITED'
    FROM messages m, generate_series(1001, 1500) n WHERE m.tenant_id = $1 AND m.version = 1500"""


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("analysed", [False, True])
async def test_only_what_is_new_is_read(
    db: Database, acme: Workspace, mode: str, *, analysed: bool
) -> None:
    """Whatever PostgreSQL knows of the tables: else what is told falls behind what is written."""
    connection = acme.cast.connection
    for sql in (MANY, SAID, EDITED):
        await connection.execute(sql, acme.id)
    if analysed:
        await connection.execute("ANALYZE")
    rows = await connection.fetch("SELECT id FROM conversations WHERE version = 1500")
    ids = [row["id"] for row in rows]
    given = [f"{{{','.join(map(str, values))}}}" for values in (ids, [900] * 20, [920] * 20)]
    for statement, values in (
        (message_change._ALL, given),
        (message_change._LAST, [ids[0], 100, 900, 1200, 1000]),
        (message_change._LAST, [ids[0], 100, 1000, 1200, 1100]),
    ):
        async with DB.tenant(acme.id):
            lines = await plan(statement, [acme.id, *values], mode)
        assert "scan" not in indexes(lines)
        assert blocks(lines) < 6000

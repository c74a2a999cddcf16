"""Subscriptions: each event is read anew, holds nothing, and tells nobody else."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any
from uuid import uuid4

import httpx
import orjson
import pytest

from resolvers.database import reading
from resolvers.message_change import Cursors
from schema import context
from schema.errors import is_refused
from tables.engine import DB, Scope
from tests.graph import Person
from tests.schema.subscribing import (
    INBOX,
    OFTEN,
    changes_of,
    first,
    new_services,
    subscribed,
    subscribed_at,
)
from tests.schema.twins import SECRET, Twins
from tests.schema.workspace import Workspace, gid

AUTHORS = "message { content author { fullName } conversation { id } }"


def everybody_back() -> bool:
    """Whether no connection to the database is held."""
    pool = DB.running_pool()
    return bool(pool.get_size() == pool.get_idle_size())


async def settle() -> None:
    async with asyncio.timeout(10):
        while not everybody_back():
            await asyncio.sleep(0.01)


async def test_each_event_is_read_anew(acme: Workspace) -> None:
    """In a snapshot of its own, with loaders that have seen nothing older."""
    talk = await acme.talk("ada", "bob")
    query, variables = changes_of(acme.id, talk, AUTHORS)
    names = []
    async with subscribed(acme.cast.people["bob"], acme.slug, query, **variables) as results:
        for name in ("One", "Two"):
            sql = "UPDATE users SET full_name = $1 WHERE username = 'ada'"
            await acme.cast.connection.execute(sql, name)
            await acme.message(talk, "ada")
            names.append((await first(results))["messageChanges"]["message"]["author"])
    assert names == [{"fullName": "One"}, {"fullName": "Two"}]


COMPANY = "message { content author { username email } usedDocuments { filename owner { id } } }"


@pytest.fixture
def scopes(monkeypatch: pytest.MonkeyPatch) -> list[Scope]:
    """Those that events were read in."""
    made: list[Scope] = []

    def recorded(*arguments: Any) -> Scope:
        made.append(reading(*arguments))
        return made[-1]

    monkeypatch.setattr(context, "reading", recorded)
    return made


def used(scopes: list[Scope]) -> list[bool]:
    """Whether each took a connection."""
    return [scope.connection._pool is not None for scope in scopes]


async def test_what_most_ask_for_comes_with_the_change(
    acme: Workspace, scopes: list[Scope]
) -> None:
    """To all who listen, and each sees of it what they may."""
    talk = await acme.talk("ada", "bob", "root")
    query, variables = changes_of(acme.id, talk, COMPANY)
    document = await acme.cast.document(acme.id, None, filename="plan.md")
    people, services = acme.cast.people, new_services()
    async with (
        subscribed_at(services, people["bob"], acme.slug, query, **variables) as to_bob,
        subscribed_at(services, people["root"], acme.slug, query, **variables) as to_root,
    ):
        for results, email in ((to_bob, None), (to_root, "ada@example.com")) * 2:
            if results is to_bob:
                message = await acme.message(talk, "ada")
                await acme.cast.cite(acme.id, message, document)
            told = await first(results)
            assert told["messageChanges"]["message"]["author"]["email"] == email
            assert told["messageChanges"]["message"]["usedDocuments"] in (
                [{"filename": "plan.md", "owner": None}],
                [],  # it was told between the two
            )
    await services.stop()
    assert used(scopes) == [False] * 4


async def test_events_take_few_connections(acme: Workspace, scopes: list[Scope]) -> None:
    """However many are told at once."""
    talk = await acme.talk("ada", "bob")
    query, variables = changes_of(acme.id, talk, AUTHORS)
    services = new_services()
    services.subscriptions.turns = asyncio.Semaphore(1)
    await acme.message(talk, "ada")
    async with AsyncExitStack() as stack:
        bob = acme.cast.people["bob"]
        everybody = [
            await stack.enter_async_context(
                subscribed_at(services, bob, acme.slug, query, **variables)
            )
            for _ in range(8)
        ]
        telling = [asyncio.ensure_future(first(results)) for results in everybody]
        while not all(each.done() for each in telling):
            await asyncio.sleep(0)
            assert sum(scope.connection._connection is not None for scope in scopes) <= 1
        for each in telling:
            assert "messageChanges" in each.result()
    await services.stop()
    await settle()
    assert used(scopes) == [True] * 8
    assert services.subscriptions.turns._value == 1


async def test_it_goes_on_after_what_was_read(acme: Workspace) -> None:
    """Nothing between reading and following is missing, and nothing comes again."""
    talk = await acme.talk("ada", "bob")
    await acme.message(talk, "ada")
    query, variables = changes_of(acme.id, talk, "message { sequence }")
    read = await acme.by("bob").ask(
        """query ($id: ID!) { node(id: $id) { ... on Conversation {
            cursor messages(last: 9) { nodes { sequence } } } } }""",
        id=variables["id"],
    )
    assert read["node"]["messages"]["nodes"] == [{"sequence": 1}]
    await acme.message(talk, "ada")
    after = {**variables, "after": read["node"]["cursor"]}
    async with subscribed(acme.cast.people["bob"], acme.slug, query, **after) as results:
        assert await first(results) == {"messageChanges": {"message": {"sequence": 2}}}


async def test_an_event_that_cannot_be_told_is_the_last(
    acme: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its cursor is lost with it: who went on with the next one's would miss it."""
    talk = await acme.talk("ada", "bob")
    query, variables = changes_of(acme.id, talk, "message { sequence conversation { id } }")
    fetch, away = DB.fetch, iter([True])

    async def failing(row: Any, sql: str, *values: object) -> Any:
        if "unread_count" in sql and "c.id = one.id" in sql and next(away, False):
            raise ConnectionResetError
        return await fetch(row, sql, *values)

    for _ in range(2):
        await acme.message(talk, "ada")
    async with subscribed(acme.cast.people["bob"], acme.slug, query, **variables) as results:
        monkeypatch.setattr(type(DB), "fetch", lambda _, *arguments, **how: failing(*arguments))
        assert [(result.data, is_refused(result)) async for result in results] == [(None, True)]
    async with subscribed(acme.cast.people["bob"], acme.slug, query, **variables) as results:
        told = [(await first(results))["messageChanges"]["message"] for _ in range(2)]
    assert [message["sequence"] for message in told] == [1, 2]


async def test_nothing_is_held_between_events(acme: Workspace) -> None:
    """Nor while an event is sent."""
    talk = await acme.talk("ada", "bob")
    query, variables = changes_of(acme.id, talk, AUTHORS)
    async with subscribed(acme.cast.people["bob"], acme.slug, query, **variables) as results:
        for _ in range(3):
            await acme.message(talk, "ada")
            await first(results)
            await settle()


# graphql-core drops what it has made and not begun, when it is cancelled before its next step.
@pytest.mark.filterwarnings("ignore:coroutine .Batched._load_one. was never awaited:RuntimeWarning")
async def test_who_goes_away_leaves_nothing(acme: Workspace) -> None:
    """At whatever moment."""
    talk = await acme.talk("ada", "bob")
    for _ in range(5):
        await acme.message(talk, "ada")
    query, variables = changes_of(acme.id, talk, AUTHORS)
    told = 0

    async def follow() -> None:
        nonlocal told
        async with subscribed(acme.cast.people["bob"], acme.slug, query, **variables) as results:
            async for _ in results:
                told += 1

    for moments in range(0, 150, 3):
        following = asyncio.create_task(follow())
        for _ in range(moments):
            await asyncio.sleep(0.0005)
        following.cancel()
        await asyncio.wait([following])
        assert following.cancelled()
    await settle()
    assert told


async def test_a_failed_field_ends_no_subscription(
    acme: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where null may stand for it: the cursor comes all the same."""
    talk = await acme.talk("ada", "bob")
    query, variables = changes_of(
        acme.id, talk, "cursor message { conversation { lastMessage { id } } }"
    )
    fetch, away = DB.fetch, iter([True])

    async def failing(row: Any, sql: str, *values: object) -> Any:
        if "ORDER BY m.sequence DESC" in sql and next(away, False):
            raise ConnectionResetError
        return await fetch(row, sql, *values)

    monkeypatch.setattr(type(DB), "fetch", lambda _, *arguments, **how: failing(*arguments))
    for _ in range(2):
        await acme.message(talk, "ada")
    async with subscribed(acme.cast.people["bob"], acme.slug, query, **variables) as results:
        failed, whole = await anext(results), await anext(results)
    assert [bool(result.errors) for result in (failed, whole)] == [True, False]
    assert failed.data
    assert failed.data["messageChanges"]["cursor"]


def _answer(result: Any) -> httpx.Response:
    errors = [error.formatted for error in result.errors or ()]
    return httpx.Response(200, content=orjson.dumps({"data": result.data, "errors": errors}))


async def _ask(attacker: Person, query: str, **variables: Any) -> httpx.Response:
    async with subscribed(attacker, "globex", query, **variables) as results:
        return _answer(await anext(results))


QUERY = changes_of(uuid4(), uuid4(), f"kind cursor {AUTHORS}")[0]


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("name", ["globex.member", "globex.owner", "eve", "mia"])
async def test_no_argument_reaches_the_other(twins: Twins, name: str) -> None:
    """And foreign is as missing, byte for byte."""
    attacker = twins.cast.people[name]
    (talk, *_) = twins.acme.ids["Conversation"]
    (own, *_) = twins.globex.ids["Conversation"]
    cursors = [Cursors(twins.acme.id, talk).cursor(n) for n in (0, 1)]
    missing = Cursors(uuid4(), uuid4()).cursor(0)
    for after in (None, missing, *cursors):
        there = await _ask(attacker, QUERY, id=gid("Conversation", talk), after=after)
        assert not twins.leaks(there)
        nowhere = await _ask(attacker, QUERY, id=gid("Conversation", uuid4()), after=after)
        assert there.content == nowhere.content
    for cursor in cursors:
        foreign = await _ask(attacker, QUERY, id=gid("Conversation", own), after=cursor)
        nobodys = await _ask(attacker, QUERY, id=gid("Conversation", own), after=missing)
        assert foreign.content == nobodys.content
        assert not twins.leaks(foreign)
        assert "errors" in foreign.json()
    for kind, id in twins.acme.some():
        answer = await _ask(attacker, QUERY, id=gid(kind, id))
        assert not twins.leaks(answer)
    at_home = twins.cast.people[f"{SECRET}.member"]
    query, variables = changes_of(twins.acme.id, talk, f"kind cursor {AUTHORS}")
    async with subscribed(at_home, "acme", query, **variables) as results:
        assert twins.leaks(_answer(await anext(results)))


@pytest.mark.asyncio(loop_scope="module")
async def test_an_inbox_is_of_one_workspace(twins: Twins) -> None:
    """Of eve, who takes part in both."""
    both = [twin.ids["Conversation"][0] for twin in (twins.acme, twins.globex)]
    async with subscribed(twins.cast.people["eve"], "globex", INBOX) as results:
        told = asyncio.ensure_future(anext(results))
        while not told.done():
            for talk in both:
                await twins.cast.connection.execute(
                    "UPDATE conversations SET updated_at = now() WHERE id = $1", talk
                )
            await asyncio.wait([told], timeout=OFTEN)
        for _ in range(3):
            answer = _answer(await told)
            assert not twins.leaks(answer)
            assert answer.json()["data"] == {"inboxChanges": {"id": gid("Conversation", both[1])}}
            for talk in both:
                await twins.cast.connection.execute(
                    "UPDATE conversations SET updated_at = now() WHERE id = $1", talk
                )
            told = asyncio.ensure_future(anext(results))
        told.cancel()
        await asyncio.wait([told])

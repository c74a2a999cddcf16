"""Many who send at once, and requests that are sent again."""

import asyncio
from random import Random
from typing import Any

import pytest

from tables.engine import DB
from tests.schema.talking import MESSAGE, assert_it_adds_up, say, state, unread
from tests.schema.workspace import Workspace, gid

KEY = "a key"


def _send(acme: Workspace, who: str, talk: Any, content: str, **more: Any) -> Any:
    return acme.by(who).mutate(
        "sendMessage", MESSAGE, conversationId=gid("Conversation", talk), content=content, **more
    )


@pytest.fixture
async def patient(acme: Workspace) -> None:
    """Hundreds wait for eight connections, on a machine that may be slow."""
    DB.acquire_timeout = 60


@pytest.mark.usefixtures("patient")
async def test_two_hundred_at_once(acme: Workspace) -> None:
    talk = await acme.talk("bob", "carl", "ada")
    who = ["bob", "carl", "ada", "bob"] * 50
    payloads = await asyncio.gather(
        *(_send(acme, name, talk, f"{n}") for n, name in enumerate(who))
    )
    assert [payload["errors"] for payload in payloads] == [[]] * len(who)
    sent = {payload["message"]["sequence"]: payload["message"] for payload in payloads}
    assert sorted(sent) == [*range(1, len(who) + 1)]
    for n, (name, payload) in enumerate(zip(who, payloads, strict=True)):
        assert payload["message"]["content"] == f"{n}"
        assert payload["message"]["author"] == {"username": name}
    await assert_it_adds_up(acme, talk)


@pytest.mark.usefixtures("patient")
async def test_all_kinds_of_writing_at_once(acme: Workspace) -> None:
    """No deadlock, and at the end it adds up; who was removed says nothing any more."""
    random = Random(3)
    talk = await acme.talk("bob", "carl", "ada")
    ids = [(await say(acme, "bob", talk, f"old {n}"))["id"] for n in range(5)]
    conversation = gid("Conversation", talk)
    place = {"conversationId": conversation, "userId": gid("User", acme.user("carl"))}
    calls = []
    for n in range(120):
        who, id = random.choice(["bob", "carl", "ada"]), random.choice(ids)
        sent = {"conversationId": conversation, "content": f"{n}"}
        calls.append(acme.by(who).mutate("sendMessage", "message { content }", **sent))
        writer, mutation, given = random.choice(
            [
                ("bob", "editMessage", {"id": id, "content": f"edited {n}"}),
                ("bob", "deleteMessage", {"id": id}),
                ("ada", "restoreMessage", {"id": id}),
                (who, "markConversationRead", {"id": conversation}),
                ("bob", "renameConversation", {"id": conversation, "title": f"{n}"}),
                ("bob", "removeParticipant", place),
                ("ada", "addParticipant", place),
            ]
        )
        calls.append(acme.by(writer).mutate(mutation, **given))
    random.shuffle(calls)
    payloads = await asyncio.gather(*calls)
    codes = {error["code"] for payload in payloads for error in payload["errors"]}
    assert codes <= {"NOT_FOUND", "CONFLICT"}
    await assert_it_adds_up(acme, talk)


async def test_who_is_removed_while_they_wait_says_nothing(acme: Workspace) -> None:
    """Nor does a number go to waste."""
    talk = await acme.talk("carl", "bob", "root")
    await say(acme, "bob", talk)
    transaction = acme.cast.connection.transaction()
    await transaction.start()
    await acme.cast.connection.execute(
        "SELECT FROM conversations WHERE id = $1 FOR NO KEY UPDATE", talk
    )
    waiting = [
        asyncio.create_task(_send(acme, name, talk, "late", idempotencyKey=name + role, role=role))
        for name in ("carl", "root")
        for role in ("USER", "ASSISTANT")
    ]
    await asyncio.sleep(0.3)
    assert not any(task.done() for task in waiting)
    await acme.cast.connection.execute(
        "DELETE FROM participants WHERE conversation_id = $1 AND user_id <> $2",
        talk,
        acme.user("bob"),
    )
    await transaction.commit()
    refused = [[error["code"] for error in (await task)["errors"]] for task in waiting]
    assert refused == [["NOT_FOUND"], ["NOT_FOUND"], ["FORBIDDEN"], []]
    assert (await say(acme, "bob", talk))["sequence"] == 3
    await assert_it_adds_up(acme, talk)


@pytest.mark.parametrize(
    ("change", "refused"),
    [
        ("is_active = false", [["NOT_FOUND"]] * 3),
        ("role = 'MEMBER'", [[], ["FORBIDDEN"], ["NOT_FOUND"]]),
    ],
)
async def test_a_membership_that_changes_while_they_wait_counts(
    acme: Workspace, change: str, refused: list[list[str]]
) -> None:
    talk, other = await acme.talk("bob", "root"), await acme.talk("bob")
    transaction = acme.cast.connection.transaction()
    await transaction.start()
    await acme.cast.connection.execute("UPDATE conversations SET title = 'New'")
    waiting = [
        asyncio.create_task(_send(acme, "root", place, "late", role=role))
        for place, role in ((talk, "USER"), (talk, "ASSISTANT"), (other, "SYSTEM"))
    ]
    await asyncio.sleep(0.3)
    assert not any(task.done() for task in waiting)
    await acme.cast.connection.execute(
        f"UPDATE memberships SET {change} WHERE user_id = $1", acme.user("root")
    )
    await transaction.commit()
    assert [[error["code"] for error in (await task)["errors"]] for task in waiting] == refused
    for place in (talk, other):
        await assert_it_adds_up(acme, place)


async def test_who_comes_back_while_they_wait_tries_again(acme: Workspace) -> None:
    talk = await acme.talk("bob")
    transaction = acme.cast.connection.transaction()
    await transaction.start()
    await acme.cast.connection.execute("UPDATE conversations SET title = 'New'")
    waiting = asyncio.create_task(_send(acme, "bob", talk, "late"))
    await asyncio.sleep(0.3)
    await acme.cast.connection.execute("DELETE FROM participants")
    await acme.cast.insert(
        "participants", tenant_id=acme.id, conversation_id=talk, user_id=acme.user("bob")
    )
    await transaction.commit()
    assert [error["code"] for error in (await waiting)["errors"]] == ["CONFLICT"]
    assert (await say(acme, "bob", talk))["sequence"] == 1
    await assert_it_adds_up(acme, talk)


async def test_what_is_deleted_while_they_wait_takes_nothing(acme: Workspace) -> None:
    talk = await acme.talk("bob")
    transaction = acme.cast.connection.transaction()
    await transaction.start()
    await acme.cast.connection.execute(
        "UPDATE conversations SET deleted_at = now() WHERE id = $1", talk
    )
    waiting = asyncio.create_task(_send(acme, "bob", talk, "late"))
    await asyncio.sleep(0.3)
    await transaction.commit()
    assert [error["code"] for error in (await waiting)["errors"]] == ["NOT_FOUND"]
    await assert_it_adds_up(acme, talk)


async def test_the_same_request_twice_is_one_message(acme: Workspace) -> None:
    talk = await acme.talk("bob", "carl")
    documents = [gid("Document", await acme.document("bob")) for _ in range(2)]
    request: dict[str, Any] = {
        "usedDocumentIds": documents,
        "metadata": {"b": 1, "a": [2]},
        "idempotencyKey": KEY,
    }
    first = await say(acme, "bob", talk, **request)
    before = await state(acme)
    assert await say(acme, "bob", talk, **request) == first
    reordered = request | {"metadata": {"a": [2], "b": 1}}
    assert await say(acme, "bob", talk, **reordered) == first
    assert await state(acme) == before
    await acme.by("bob").mutate("editMessage", id=first["id"], content="edited since")
    assert (await say(acme, "bob", talk, **request))["content"] == "edited since"
    await acme.by("bob").mutate("deleteMessage", id=first["id"])
    again = await say(acme, "bob", talk, **request)
    assert (again["id"], again["content"]) == (first["id"], "")
    await assert_it_adds_up(acme, talk)


async def test_who_is_removed_as_it_is_sent_is_shown_what_they_said(acme: Workspace) -> None:
    """And nothing of the conversation."""
    talk = await acme.talk("bob", "carl")
    await acme.cast.connection.execute("""
        CREATE FUNCTION removed() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
            BEGIN DELETE FROM participants WHERE user_id = NEW.author_id; RETURN NULL; END $$;
        CREATE CONSTRAINT TRIGGER removed AFTER INSERT ON messages
            INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION removed()""")
    query = """mutation ($input: SendMessageInput!) {
        sendMessage(input: $input) { errors { code } message { content author { username } %s } }
    }"""
    sent = {"conversationId": gid("Conversation", talk), "content": "bye"}
    message = {"content": "bye", "author": {"username": "carl"}}
    assert await acme.by("carl").ask(query % "", input=sent) == {
        "sendMessage": {"errors": [], "message": message}
    }
    answer = await acme.by("bob").post(query % "conversation { title }", input=sent)
    assert answer.json()["data"] == {"sendMessage": {"errors": [], "message": None}}
    (error,) = answer.json()["errors"]
    assert error["path"] == ["sendMessage", "message", "conversation"]
    assert error["extensions"] == {"code": "NOT_FOUND"}


async def test_a_key_is_of_one_request_and_one_author(acme: Workspace) -> None:
    talk = await acme.talk("bob", "carl")
    document = gid("Document", await acme.document("bob"))
    await say(acme, "bob", talk, "hi", idempotencyKey=KEY)
    before = await state(acme)
    tries: list[tuple[str, dict[str, Any]]] = [
        ("bob", {"content": "ho"}),
        ("bob", {"metadata": {"a": 1}}),
        ("bob", {"tokenCount": 1}),
        ("bob", {"usedDocumentIds": [document]}),
        ("bob", {"role": "ASSISTANT"}),
        ("carl", {}),
    ]
    for who, given in tries:
        payload = await _send(acme, who, talk, **({"content": "hi", "idempotencyKey": KEY} | given))
        assert payload["message"] is None, given
        codes = [(error["code"], error["field"]) for error in payload["errors"]]
        assert codes == [("CONFLICT", ["idempotencyKey"])], given
    assert await state(acme) == before
    other = await acme.talk("bob")
    assert (await say(acme, "bob", other, "hi", idempotencyKey=KEY))["sequence"] == 1


async def test_who_may_say_nothing_learns_nothing_from_a_key(acme: Workspace) -> None:
    talk = await acme.talk("bob")
    await say(acme, "bob", talk, "hi", idempotencyKey=KEY)
    for key in (KEY, "new"):
        payload = await _send(acme, "carl", talk, "hi", idempotencyKey=key)
        assert [error["code"] for error in payload["errors"]] == ["NOT_FOUND"]


@pytest.mark.usefixtures("patient")
async def test_the_same_request_at_once_is_one_message(acme: Workspace) -> None:
    talk = await acme.talk("bob", "carl")
    calls = []
    for n in range(20):
        calls += [_send(acme, "bob", talk, f"{n}", idempotencyKey=f"{n}") for _ in range(4)]
        calls.append(_send(acme, "carl", talk, "plain"))
    payloads = await asyncio.gather(*calls)
    assert [payload["errors"] for payload in payloads] == [[]] * len(calls)
    by_content: dict[str, set[str]] = {}
    for payload in payloads:
        by_content.setdefault(payload["message"]["content"], set()).add(payload["message"]["id"])
    assert len(by_content.pop("plain")) == 20
    assert [len(ids) for ids in by_content.values()] == [1] * 20
    await assert_it_adds_up(acme, talk)
    assert await acme.cast.connection.fetchval("SELECT last_sequence FROM conversations") == 40


async def test_different_requests_with_one_key_at_once(acme: Workspace) -> None:
    talk = await acme.talk("bob", "carl")
    calls = [
        _send(acme, who, talk, f"{n}", idempotencyKey=KEY)
        for n, who in enumerate(["bob", "carl"] * 5)
    ]
    payloads = await asyncio.gather(*calls)
    codes = [error["code"] for payload in payloads for error in payload["errors"]]
    assert codes == ["CONFLICT"] * 9
    await assert_it_adds_up(acme, talk)


async def test_what_one_says_is_read_by_oneself_only(acme: Workspace) -> None:
    talk = await acme.talk("bob", "carl")
    await say(acme, "bob", talk)
    await say(acme, "bob", talk, role="ASSISTANT")
    assert [await unread(acme, name, talk) for name in ("bob", "carl")] == [1, 2]
    await say(acme, "carl", talk)
    assert [await unread(acme, name, talk) for name in ("bob", "carl")] == [2, 0]

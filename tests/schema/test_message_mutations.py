"""What is said, changed, taken back, and brought back."""

import asyncio
from typing import Any

import pytest
from limits import parse

from tests.graph import SETTINGS, asking
from tests.schema.talking import MESSAGE, assert_it_adds_up, events, say, state, unread
from tests.schema.workspace import MISSING, Workspace, gid

NO_MESSAGE = gid("Message", MISSING)


async def _change(acme: Workspace, who: str, mutation: str, **input: Any) -> Any:
    payload = await acme.by(who).mutate(mutation, MESSAGE, **input)
    assert payload["errors"] == []
    return payload["message"]


async def _refused(acme: Workspace, who: str, mutation: str, **input: Any) -> list[Any]:
    """And changes nothing."""
    before = await state(acme)
    errors = await acme.by(who).refused(mutation, **input)
    assert await state(acme) == before
    return errors


async def test_every_field(acme: Workspace) -> None:
    talk = await acme.talk("bob", "carl")
    documents = [gid("Document", await acme.document("ada")) for _ in range(50)]
    stored = documents[::-1]
    metadata = {"model": "x", "n": [1, 2.5, None, {"deep": True}]}
    said = await say(
        acme,
        "bob",
        talk,
        " ünï\n✓ ",
        tokenCount=7,
        metadata=metadata,
        usedDocumentIds=stored,
    )
    assert said == {
        "id": said["id"],
        "sequence": 1,
        "role": "USER",
        "content": " ünï\n✓ ",
        "tokenCount": 7,
        "metadata": metadata,
        "editedAt": None,
        "deletedAt": None,
        "author": {"username": "bob"},
        "conversation": {"id": gid("Conversation", talk), "messageCount": 1, "unreadCount": 0},
        "usedDocuments": [{"id": id} for id in stored],
    }
    plain = await say(acme, "carl", talk, "x" * 100_000)
    assert (plain["sequence"], plain["metadata"], plain["usedDocuments"]) == (2, {}, [])
    at = await acme.cast.connection.fetchval("SELECT last_message_at FROM conversations")
    assert at == await acme.cast.connection.fetchval("SELECT max(created_at) FROM messages")


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"content": ""}, ("BAD_INPUT", ["content"])),
        ({"content": "x" * 100_001}, ("BAD_INPUT", ["content"])),
        ({"content": "a\0"}, ("BAD_INPUT", ["content"])),
        ({"tokenCount": -1}, ("BAD_INPUT", ["tokenCount"])),
        ({"metadata": [1]}, ("BAD_INPUT", ["metadata"])),
        ({"metadata": {"a": "\0"}}, ("BAD_INPUT", ["metadata"])),
        ({"metadata": {"a": "x" * 20_000}}, ("BAD_INPUT", ["metadata"])),
        ({"idempotencyKey": ""}, ("BAD_INPUT", ["idempotencyKey"])),
        ({"idempotencyKey": "x" * 201}, ("BAD_INPUT", ["idempotencyKey"])),
        ({"usedDocumentIds": [NO_MESSAGE]}, ("BAD_INPUT", ["usedDocumentIds", "0"])),
        (
            {"usedDocumentIds": [gid("Document", MISSING)] * 2},
            ("BAD_INPUT", ["usedDocumentIds"]),
        ),
        ({"usedDocumentIds": [gid("Document", MISSING)]}, ("NOT_FOUND", ["usedDocumentIds"])),
        ({"conversationId": NO_MESSAGE}, ("BAD_INPUT", ["conversationId"])),
    ],
)
async def test_what_is_not_sent(
    acme: Workspace, given: dict[str, Any], error: tuple[str, list[str]]
) -> None:
    talk = gid("Conversation", await acme.talk("bob"))
    request = {"conversationId": talk, "content": "hi"} | given
    assert await _refused(acme, "bob", "sendMessage", **request) == [error]


@pytest.mark.parametrize("number", ["1e999", "-1e999", "123456789012345678901234567890"])
async def test_a_number_that_is_none_in_json(acme: Workspace, number: str) -> None:
    """In the document itself, where it is no variable that the server could not even read."""
    talk = gid("Conversation", await acme.talk("bob"))
    input = f'{{conversationId: "{talk}", content: "hi", metadata: {{a: [{number}]}}}}'
    data = await acme.by("bob").ask(
        f"mutation {{ sendMessage(input: {input}) {{ message {{ id }} errors {{ code field }} }} }}"
    )
    errors = [{"code": "BAD_INPUT", "field": ["metadata"]}]
    assert data["sendMessage"] == {"message": None, "errors": errors}


async def test_documents_that_are_not_there(acme: Workspace) -> None:
    talk = gid("Conversation", await acme.talk("bob"))
    here, gone = [await acme.document("bob") for _ in range(2)]
    await acme.delete("documents", gone)
    ids = [gid("Document", id) for id in (here, gone)]
    request = {"conversationId": talk, "content": "hi", "usedDocumentIds": ids}
    errors = await _refused(acme, "bob", "sendMessage", **request)
    assert errors == [("NOT_FOUND", ["usedDocumentIds"])]
    many = [gid("Document", await acme.document("bob")) for _ in range(51)]
    errors = await _refused(acme, "bob", "sendMessage", **(request | {"usedDocumentIds": many}))
    assert errors == [("BAD_INPUT", ["usedDocumentIds"])]


@pytest.mark.parametrize(
    ("who", "role", "codes"),
    [
        ("bob", "USER", []),
        ("bob", "ASSISTANT", []),  # the owner
        ("bob", "SYSTEM", []),
        ("carl", "USER", []),
        ("carl", "ASSISTANT", ["FORBIDDEN"]),
        ("carl", "SYSTEM", ["FORBIDDEN"]),
        ("root", "USER", ["FORBIDDEN"]),  # looks on
        ("root", "ASSISTANT", []),
        ("ada", "SYSTEM", []),
    ],
)
async def test_who_says_what(acme: Workspace, who: str, role: str, codes: list[str]) -> None:
    talk = await acme.talk("bob", "carl")
    payload = await acme.by(who).mutate(
        "sendMessage",
        MESSAGE,
        conversationId=gid("Conversation", talk),
        content="hi",
        role=role,
    )
    assert [error["code"] for error in payload["errors"]] == codes
    if not codes:
        author = {"username": who} if role == "USER" else None
        assert payload["message"]["author"] == author
    await assert_it_adds_up(acme, talk)


async def test_edited(acme: Workspace) -> None:
    talk = await acme.talk("bob", "carl")
    id = (await say(acme, "bob", talk, "old"))["id"]
    edited = await _change(acme, "bob", "editMessage", id=id, content="new")
    assert (edited["content"], edited["sequence"]) == ("new", 1)
    assert edited["editedAt"]
    await assert_it_adds_up(acme, talk)
    before = await state(acme)
    assert await _change(acme, "bob", "editMessage", id=id, content="new") == edited
    assert await state(acme) == before
    for who in ("carl", "root"):
        refused = await _refused(acme, who, "editMessage", id=id, content="mine")
        assert refused == [("FORBIDDEN", None)]
    for content in ("", "x" * 100_001, "\0"):
        refused = await _refused(acme, "bob", "editMessage", id=id, content=content)
        assert refused == [("BAD_INPUT", ["content"])]
    assistant = (await say(acme, "bob", talk, role="ASSISTANT"))["id"]
    refused = await _refused(acme, "bob", "editMessage", id=assistant, content="new")
    assert refused == [("FORBIDDEN", None)]
    await _change(acme, "bob", "deleteMessage", id=id)
    refused = await _refused(acme, "bob", "editMessage", id=id, content="newer")
    assert refused == [("NOT_FOUND", ["id"])]
    assert await events(acme) == [("message.deleted", f"Message:{await _first(acme)}")]


async def _first(acme: Workspace) -> Any:
    return await acme.cast.connection.fetchval("SELECT id FROM messages WHERE sequence = 1")


@pytest.mark.parametrize("who", ["bob", "root"])
async def test_deleted_and_back(acme: Workspace, who: str) -> None:
    talk = await acme.talk("bob", "carl")
    document = gid("Document", await acme.document("bob"))
    more = {"metadata": {"a": 1}, "usedDocumentIds": [document]}
    id = (await say(acme, "bob", talk, "secret", **more))["id"]
    whole = await _change(acme, "bob", "editMessage", id=id, content="secret!")
    await acme.by("carl").mutate("markConversationRead", id=gid("Conversation", talk))
    await say(acme, "bob", talk, "more")
    deleted = await _change(acme, who, "deleteMessage", id=id)
    blank: dict[str, Any] = {"content": "", "metadata": {}, "usedDocuments": []}
    assert {key: deleted[key] for key in blank} == blank
    assert deleted["conversation"]["messageCount"] == 1
    assert await unread(acme, "carl", talk) == 1
    await assert_it_adds_up(acme, talk)
    before = await state(acme)
    assert await _change(acme, who, "deleteMessage", id=id) == deleted
    assert await state(acme) == before

    for _ in range(2):
        restored = await _change(acme, who, "restoreMessage", id=id)
        changing = {"conversation": restored["conversation"]}
        assert restored == whole | changing
        assert restored["conversation"]["messageCount"] == 2
    assert await unread(acme, "carl", talk) == 1
    await assert_it_adds_up(acme, talk)
    target = f"Message:{await _first(acme)}"
    assert await events(acme) == [("message.deleted", target), ("message.restored", target)]


@pytest.mark.parametrize("mutation", ["deleteMessage", "restoreMessage"])
async def test_what_is_purged_while_they_wait_is_missing(acme: Workspace, mutation: str) -> None:
    talk = await acme.talk("bob")
    id = (await say(acme, "bob", talk))["id"]
    await _change(acme, "bob", "deleteMessage", id=id)
    async with acme.cast.connection.transaction():
        await acme.cast.connection.execute("DELETE FROM messages")
        before = await state(acme)
        waiting = asyncio.create_task(acme.by("bob").refused(mutation, id=id))
        await asyncio.sleep(0.3)
    assert await waiting == [("NOT_FOUND", ["id"])]
    assert await state(acme) == before


async def test_who_may_not_take_back(acme: Workspace) -> None:
    talk, hidden = await acme.talk("carl", "bob"), await acme.talk("ada")
    said = (await say(acme, "bob", talk))["id"]
    deleted = (await say(acme, "bob", talk))["id"]
    assistant = (await say(acme, "carl", talk, role="ASSISTANT"))["id"]
    unseen = (await say(acme, "ada", hidden))["id"]
    await _change(acme, "bob", "deleteMessage", id=deleted)
    for mutation in ("deleteMessage", "restoreMessage"):
        for id, errors in {
            said: [("FORBIDDEN", None)],
            deleted: [("FORBIDDEN", None)],
            assistant: [("FORBIDDEN", None)],
            unseen: [("NOT_FOUND", ["id"])],
            NO_MESSAGE: [("NOT_FOUND", ["id"])],
            gid("Conversation", talk): [("BAD_INPUT", ["id"])],
        }.items():
            assert await _refused(acme, "carl", mutation, id=id) == errors
    refused = await _refused(acme, "carl", "editMessage", id=unseen, content="mine")
    assert refused == [("NOT_FOUND", ["id"])]


async def test_nothing_changes_in_a_deleted_conversation(acme: Workspace) -> None:
    talk = await acme.talk("bob")
    said, deleted = [(await say(acme, "bob", talk))["id"] for _ in range(2)]
    await _change(acme, "bob", "deleteMessage", id=deleted)
    await acme.by("bob").mutate("deleteConversation", id=gid("Conversation", talk))
    for mutation, given in (
        ("editMessage", {"id": said, "content": "new"}),
        ("deleteMessage", {"id": said}),
        ("restoreMessage", {"id": deleted}),
    ):
        for who in ("bob", "root"):
            assert await _refused(acme, who, mutation, **given) == [("NOT_FOUND", ["id"])]


async def test_who_has_left_the_conversation_changes_nothing(acme: Workspace) -> None:
    talk = await acme.talk("bob", "carl")
    said = (await say(acme, "carl", talk))["id"]
    place = {"conversationId": gid("Conversation", talk), "userId": gid("User", acme.user("carl"))}
    await acme.by("carl").mutate("removeParticipant", **place)
    for mutation, given in (("editMessage", {"content": "new"}), ("deleteMessage", {})):
        assert await _refused(acme, "carl", mutation, id=said, **given) == [("NOT_FOUND", ["id"])]


async def test_a_person_sends_so_much_and_no_more(acme: Workspace) -> None:
    """In one conversation or another. Others may go on, and what is no message is not counted."""
    settings = SETTINGS.model_copy(update={"limit_send": parse("3/hour")})
    talks = [gid("Conversation", await acme.talk("bob", "carl")) for _ in range(2)]
    async with asking(settings) as client:
        bob, carl = (
            client.signed_in(acme.cast.people[name], acme.slug) for name in ("bob", "carl")
        )
        for talk in (*talks, talks[0]):
            assert await bob.refused("sendMessage", conversationId=talk, content="hi") == []
            assert await bob.refused("markConversationRead", id=talk) == []
        for talk in talks:
            refused = await bob.refused("sendMessage", conversationId=talk, content="hi")
            assert refused == [("RATE_LIMITED", None)]
        assert await bob.refused("markConversationRead", id=talks[0]) == []
        assert await carl.refused("sendMessage", conversationId=talks[0], content="hi") == []


PERSON = """__typename id username email fullName isActive isSuperuser lastLoginAt createdAt
    updatedAt membership { role } conversations(first: 9) { nodes { title } }"""


async def test_the_author_is_shown_as_everywhere(acme: Workspace) -> None:
    talk = await acme.talk("bob", "ada")
    for who in ("bob", "ada"):
        select = f"message {{ id author {{ {PERSON} }} }}"
        given = {"conversationId": gid("Conversation", talk), "content": "hi"}
        sent = await acme.by(who).mutate("sendMessage", select, **given)
        query = "query ($id: ID!) { user(by: {id: $id}) { %s } }"
        user = await acme.by(who).ask(query % PERSON, id=gid("User", acme.user(who)))
        assert sent["message"]["author"] == user["user"]
        assert sent["message"]["author"]["email"]
    said = await acme.by("ada").mutate("sendMessage", select, **given, role="ASSISTANT")
    assert said["message"]["author"] is None

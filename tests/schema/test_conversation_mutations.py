"""Making conversations, changing them, and who takes part."""

import asyncio
import re
from typing import Any

import pytest

from tests.schema.talking import assert_it_adds_up, events, say, state, unread
from tests.schema.workspace import MISSING, Workspace, gid

TALK = """conversation { id shortId title messageCount unreadCount deletedAt owner { username }
    participants(first: 9) { nodes { username } } }"""
NOBODY = gid("User", MISSING)
NO_TALK = gid("Conversation", MISSING)


def _users(acme: Workspace, *names: str) -> list[str]:
    return [gid("User", acme.user(name)) for name in names]


def _names(conversation: Any) -> set[str]:
    return {node["username"] for node in conversation["participants"]["nodes"]}


async def _create(acme: Workspace, who: str, **input: Any) -> Any:
    payload = await acme.by(who).mutate("createConversation", TALK, **input)
    assert payload["errors"] == []
    return payload["conversation"]


async def _seen(acme: Workspace, who: str, id: str) -> bool:
    query = "query ($id: ID!) { conversation(by: {id: $id}) { id } }"
    return (await acme.by(who).ask(query, id=id))["conversation"] is not None


async def test_a_new_conversation(acme: Workspace) -> None:
    made = await _create(
        acme, "bob", title="  Über uns ", participantIds=_users(acme, "carl", "ada", "carl", "bob")
    )
    assert made["title"] == "Über uns"
    assert made["owner"] == {"username": "bob"}
    assert _names(made) == {"bob", "carl", "ada"}
    assert (made["messageCount"], made["unreadCount"], made["deletedAt"]) == (0, 0, None)
    assert re.fullmatch(r"[\w-]{12}", made["shortId"], re.ASCII)
    alone = await _create(acme, "bob", title="x" * 500)
    assert _names(alone) == {"bob"}
    assert alone["shortId"] != made["shortId"]
    for name, sees in {"bob": True, "carl": True, "ada": True, "root": True}.items():
        assert await _seen(acme, name, made["id"]) is sees
    assert not await _seen(acme, "carl", alone["id"])


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"title": ""}, ("BAD_INPUT", ["title"])),
        ({"title": " \t "}, ("BAD_INPUT", ["title"])),
        ({"title": "x" * 501}, ("BAD_INPUT", ["title"])),
        ({"title": "two\nlines"}, ("BAD_INPUT", ["title"])),
        ({"title": "a\0"}, ("BAD_INPUT", ["title"])),
        ({"idempotencyKey": ""}, ("BAD_INPUT", ["idempotencyKey"])),
        ({"idempotencyKey": "x" * 201}, ("BAD_INPUT", ["idempotencyKey"])),
        ({"idempotencyKey": "\0"}, ("BAD_INPUT", ["idempotencyKey"])),
        ({"participantIds": [NOBODY, NO_TALK]}, ("BAD_INPUT", ["participantIds", "1"])),
        ({"participantIds": [NOBODY] * 101}, ("BAD_INPUT", ["participantIds"])),
        ({"participantIds": [NOBODY]}, ("NOT_FOUND", ["participantIds"])),
    ],
)
async def test_what_makes_no_conversation(
    acme: Workspace, given: dict[str, Any], error: tuple[str, list[str]]
) -> None:
    refused = await acme.by("bob").refused("createConversation", **({"title": "Talk"} | given))
    assert refused == [error]
    assert await state(acme) == []


async def test_only_members_take_part(acme: Workspace) -> None:
    eve = await acme.cast.person("eve")
    globex = await acme.cast.tenant("globex")
    await acme.cast.member(globex, eve.id)
    gone = await acme.cast.person("gone", is_active=False)
    await acme.cast.member(acme.id, gone.id)
    talk = await acme.talk("bob")
    before = await state(acme)
    for name in ("eve", "dora", "gone"):
        (id,) = _users(acme, name)
        refused = await acme.by("bob").refused(
            "createConversation", title="Talk", participantIds=[*_users(acme, "carl"), id]
        )
        assert refused == [("NOT_FOUND", ["participantIds"])]
        refused = await acme.by("ada").refused(
            "addParticipant", conversationId=gid("Conversation", talk), userId=id
        )
        assert refused == [("NOT_FOUND", ["userId"])]
    assert await state(acme) == before


async def test_the_same_request_makes_one_conversation(acme: Workspace) -> None:
    people = _users(acme, "carl", "ada")
    request = {"title": "Talk", "participantIds": people, "idempotencyKey": "key"}
    made = await asyncio.gather(*(_create(acme, "bob", **request) for _ in range(8)))
    assert len({conversation["id"] for conversation in made}) == 1
    id = made[0]["id"]
    await acme.by("bob").mutate("renameConversation", id=id, title="Renamed since")
    await acme.by("bob").mutate("removeParticipant", conversationId=id, userId=people[0])
    again = await _create(acme, "bob", **(request | {"participantIds": people[::-1]}))
    assert (again["id"], again["title"]) == (id, "Renamed since")
    before = await state(acme)
    for other in ({"title": "Other"}, {"participantIds": people[:1]}):
        refused = await acme.by("bob").refused("createConversation", **(request | other))
        assert refused == [("CONFLICT", ["idempotencyKey"])]
    assert await state(acme) == before
    of_carl = await _create(acme, "carl", title="Of carl", idempotencyKey="key")
    assert of_carl["id"] != id


async def test_a_new_title(acme: Workspace) -> None:
    talk = await acme.talk("bob", "carl")
    id = gid("Conversation", talk)
    for who, title in (("bob", "One"), ("root", "Two")):
        payload = await acme.by(who).mutate("renameConversation", TALK, id=id, title=title)
        assert payload["conversation"]["title"] == title
    before = await state(acme)
    await acme.by("bob").mutate("renameConversation", id=id, title="Two")
    for title in ("", "x" * 501, "a\u2028b"):
        refused = await acme.by("bob").refused("renameConversation", id=id, title=title)
        assert refused == [("BAD_INPUT", ["title"])]
    assert await acme.by("carl").refused("renameConversation", id=id, title="Mine") == [
        ("FORBIDDEN", None)
    ]
    assert await state(acme) == before


async def test_deleted_and_back(acme: Workspace) -> None:
    talk = await acme.talk("bob", "carl")
    await say(acme, "carl", talk)
    id, bob = gid("Conversation", talk), acme.by("bob")
    before = await acme.cast.connection.fetchrow("SELECT * FROM messages")
    deleted = await bob.mutate("deleteConversation", TALK, id=id)
    assert deleted["conversation"]["deletedAt"]
    again = await acme.by("root").mutate("deleteConversation", TALK, id=id)
    assert again["conversation"]["deletedAt"] == deleted["conversation"]["deletedAt"]
    assert not await _seen(acme, "bob", id)
    for mutation, given in {
        "renameConversation": {"id": id, "title": "New"},
        "markConversationRead": {"id": id},
        "addParticipant": {"conversationId": id, "userId": _users(acme, "ada")[0]},
        "removeParticipant": {"conversationId": id, "userId": _users(acme, "bob")[0]},
        "sendMessage": {"conversationId": id, "content": "hi"},
    }.items():
        errors = await bob.refused(mutation, **given)
        assert [code for code, _ in errors] == ["NOT_FOUND"], mutation
    for mutation in ("deleteConversation", "restoreConversation"):
        assert await acme.by("carl").refused(mutation, id=id) == [("NOT_FOUND", ["id"])]
    for _ in range(2):
        restored = await bob.mutate("restoreConversation", TALK, id=id)
        assert restored["conversation"]["deletedAt"] is None
    assert await acme.cast.connection.fetchrow("SELECT * FROM messages") == before
    assert await unread(acme, "bob", talk) == 1
    target = f"Conversation:{talk}"
    assert await events(acme) == [
        ("conversation.deleted", target),
        ("conversation.restored", target),
    ]


async def test_people_join_and_leave(acme: Workspace) -> None:
    talk = await acme.talk("bob")
    id = gid("Conversation", talk)
    carl, bob = _users(acme, "carl", "bob")
    await say(acme, "bob", talk)
    for who in ("bob", "root"):
        payload = await acme.by(who).mutate("addParticipant", TALK, conversationId=id, userId=carl)
        assert _names(payload["conversation"]) == {"bob", "carl"}
    assert await unread(acme, "carl", talk) == 1
    refused = await acme.by("carl").refused("removeParticipant", conversationId=id, userId=bob)
    assert refused == [("FORBIDDEN", None)]
    refused = await acme.by("carl").refused("addParticipant", conversationId=id, userId=carl)
    assert refused == [("FORBIDDEN", None)]
    left = await acme.by("carl").mutate("removeParticipant", TALK, conversationId=id, userId=carl)
    assert left == {"errors": [], "conversation": None}
    refused = await acme.by("carl").refused("sendMessage", conversationId=id, content="hi")
    assert refused == [("NOT_FOUND", ["conversationId"])]
    refused = await acme.by("bob").refused("removeParticipant", conversationId=id, userId=carl)
    assert refused == [("NOT_FOUND", ["userId"])]
    out = await acme.by("root").mutate("removeParticipant", TALK, conversationId=id, userId=bob)
    assert _names(out["conversation"]) == set()
    assert [action for action, _ in await events(acme)] == [
        "participant.added",
        "participant.removed",
        "participant.removed",
    ]


async def test_a_conversation_has_room_for_a_thousand(acme: Workspace) -> None:
    """Also when several come at once. Who is there already may be added again."""
    talk = await acme.talk("bob")
    await acme.cast.connection.execute(
        """WITH people AS (INSERT INTO users (username, email)
            SELECT 'p' || n, 'p' || n || '@example.com' FROM generate_series(1, 998) n RETURNING id
        ), members AS (INSERT INTO memberships (tenant_id, user_id, role)
            SELECT $1, id, 'MEMBER' FROM people RETURNING user_id)
        INSERT INTO participants (tenant_id, conversation_id, user_id)
            SELECT $1, $2, user_id FROM members""",
        acme.id,
        talk,
    )
    ids = _users(acme, "carl", "ada", "root")
    asked = [
        acme.by("bob").refused(
            "addParticipant", conversationId=gid("Conversation", talk), userId=id
        )
        for id in ids
    ]
    refused = await asyncio.gather(*asked)
    assert sorted(refused) == [[], *[[("CONFLICT", ["conversationId"])]] * 2]
    there = ids[refused.index([])]
    again = {"conversationId": gid("Conversation", talk), "userId": there}
    assert await acme.by("bob").refused("addParticipant", **again) == []
    count = await acme.cast.connection.fetchval("SELECT count(*) FROM participants")
    assert count == 1000


async def test_reading(acme: Workspace) -> None:
    talk = await acme.talk("bob", "carl")
    id = gid("Conversation", talk)
    ids = [(await say(acme, "bob", talk, f"{n}"))["id"] for n in range(5)]
    await acme.by("bob").mutate("deleteMessage", id=ids[1])

    async def read(sequence: int | None) -> int:
        payload = await acme.by("carl").mutate(
            "markConversationRead", TALK, id=id, sequence=sequence
        )
        assert payload["errors"] == []
        await assert_it_adds_up(acme, talk)
        count: int = payload["conversation"]["unreadCount"]
        return count

    assert await unread(acme, "carl", talk) == 4
    assert await read(0) == 4
    assert await read(2) == 3
    assert await read(4) == 1
    assert await read(1) == 1
    before = await state(acme)
    for sequence in (-1, 6):
        refused = await acme.by("carl").refused("markConversationRead", id=id, sequence=sequence)
        assert refused == [("BAD_INPUT", ["sequence"])]
    refused = await acme.by("root").refused("markConversationRead", id=id)
    assert refused == [("FORBIDDEN", None)]
    assert await state(acme) == before
    await acme.by("bob").mutate("deleteMessage", id=ids[0])
    assert await unread(acme, "carl", talk) == 1
    await acme.by("bob").mutate("restoreMessage", id=ids[1])
    assert await unread(acme, "carl", talk) == 1
    assert await read(None) == 0
    await acme.by("bob").mutate("deleteMessage", id=ids[4])
    assert await unread(acme, "carl", talk) == 0


async def test_who_was_removed_meanwhile_does_nothing_more(acme: Workspace) -> None:
    """The request came in as a member's, and waits; what counts is what they are when it
    writes."""
    talk = await acme.talk("bob", "carl", "root")
    message = (await say(acme, "carl", talk))["id"]
    id = gid("Conversation", talk)
    before = await state(acme, "messages", "conversations")
    transaction = acme.cast.connection.transaction()
    await transaction.start()
    await acme.cast.connection.execute("SELECT FROM conversations WHERE id = $1 FOR UPDATE", talk)
    waiting = [
        asyncio.create_task(acme.by(who).refused(mutation, **given))
        for who, mutation, given in [
            ("bob", "renameConversation", {"id": id, "title": "New"}),
            ("bob", "deleteConversation", {"id": id}),
            ("carl", "markConversationRead", {"id": id}),
            ("carl", "editMessage", {"id": message, "content": "new"}),
            ("carl", "deleteMessage", {"id": message}),
        ]
    ]
    await asyncio.sleep(0.3)
    assert not any(task.done() for task in waiting)
    await acme.cast.connection.execute(
        "UPDATE memberships SET is_active = false WHERE user_id = $1", acme.user("bob")
    )
    await acme.cast.connection.execute(
        "DELETE FROM participants WHERE user_id = $1", acme.user("carl")
    )
    await transaction.commit()
    for task in waiting:
        assert [code for code, _ in await task] == ["NOT_FOUND"]
    assert await state(acme, "messages", "conversations") == before


async def test_missing_and_hidden_look_alike(acme: Workspace) -> None:
    talk = gid("Conversation", await acme.talk("ada"))
    carl = acme.by("carl")
    user = _users(acme, "carl")[0]

    def tries(id: str) -> list[Any]:
        place = {"conversationId": id}
        return [
            carl.mutate("renameConversation", id=id, title="New"),
            carl.mutate("deleteConversation", id=id),
            carl.mutate("restoreConversation", id=id),
            carl.mutate("markConversationRead", id=id),
            carl.mutate("addParticipant", **place, userId=user),
            carl.mutate("removeParticipant", **place, userId=user),
            carl.mutate("sendMessage", **place, content="hi"),
        ]

    before = await state(acme)
    for hidden, missing in zip(tries(talk), tries(NO_TALK), strict=True):
        answer = await hidden
        assert answer == await missing
        assert [error["code"] for error in answer["errors"]] == ["NOT_FOUND"]
    assert await state(acme) == before


async def test_another_workspace_is_out_of_reach(acme: Workspace) -> None:
    """ada owns both: what she asks of one, is not done in the other."""
    globex = await acme.cast.tenant("globex")
    await acme.cast.member(globex, acme.user("ada"), "OWNER")
    talk = await acme.talk("ada", "bob")
    message = gid("Message", await acme.message(talk, "ada"))
    document = gid("Document", await acme.document("ada"))
    id, there = gid("Conversation", talk), acme.by("ada", "globex")
    before = await state(acme)
    for mutation, given in {
        "renameConversation": {"id": id, "title": "New"},
        "deleteConversation": {"id": id},
        "markConversationRead": {"id": id},
        "addParticipant": {"conversationId": id, "userId": _users(acme, "ada")[0]},
        "sendMessage": {"conversationId": id, "content": "hi"},
        "editMessage": {"id": message, "content": "hi"},
        "deleteMessage": {"id": message},
        "restoreMessage": {"id": message},
    }.items():
        errors = await there.refused(mutation, **given)
        assert [code for code, _ in errors] == ["NOT_FOUND"], mutation
    assert await there.refused(
        "createConversation", title="Talk", participantIds=_users(acme, "bob")
    ) == [("NOT_FOUND", ["participantIds"])]
    own = gid("Conversation", await acme.cast.conversation(globex, acme.user("ada")))
    assert await there.refused(
        "sendMessage", conversationId=own, content="hi", usedDocumentIds=[document]
    ) == [("NOT_FOUND", ["usedDocumentIds"])]
    await acme.cast.connection.execute("DELETE FROM tenants WHERE id = $1", globex)
    assert await state(acme) == before

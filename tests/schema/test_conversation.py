from datetime import UTC, datetime
from typing import Any

import pytest

from resolvers.message_change import Cursors
from tests.schema.workspace import MISSING, Workspace, gid

AT = datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)


async def test_every_field(acme: Workspace) -> None:
    talk = await acme.talk("bob", "ada", "carl", title="Launch ✓", short_id="launch", created_at=AT)
    first = await acme.message(talk, "bob")
    last = await acme.message(talk, None)
    await acme.cast.connection.execute("ALTER TABLE conversations DISABLE TRIGGER USER")
    await acme.cast.connection.execute(
        "UPDATE conversations SET updated_at = $1, last_message_at = $1", AT
    )
    data = await acme.by("carl").ask(
        """{ conversation(by: {shortId: "launch"}) {
            __typename id cursor shortId title messageCount unreadCount lastMessageAt createdAt
            updatedAt deletedAt owner { username }
            participants(first: 9) { totalCount nodes { username } }
            messages(first: 9) { totalCount nodes { id } } lastMessage { id } } }"""
    )
    assert data["conversation"] == {
        "__typename": "Conversation",
        "id": gid("Conversation", talk),
        "cursor": Cursors(acme.id, talk).cursor(2),
        "shortId": "launch",
        "title": "Launch ✓",
        "messageCount": 2,
        "unreadCount": 2,
        "lastMessageAt": AT.isoformat(),
        "createdAt": AT.isoformat(),
        "updatedAt": AT.isoformat(),
        "deletedAt": None,
        "owner": {"username": "bob"},
        "participants": {
            "totalCount": 3,
            "nodes": [{"username": name} for name in ("bob", "ada", "carl")],
        },
        "messages": {
            "totalCount": 2,
            "nodes": [{"id": gid("Message", first)}, {"id": gid("Message", last)}],
        },
        "lastMessage": {"id": gid("Message", last)},
    }


async def test_empty(acme: Workspace) -> None:
    await acme.talk("bob", short_id="new")
    data = await acme.by("bob").ask(
        """{ conversation(by: {shortId: "new"}) { messageCount unreadCount lastMessageAt
            lastMessage { id } messages(first: 1) { totalCount nodes { id } } } }"""
    )
    assert data["conversation"] == {
        "messageCount": 0,
        "unreadCount": 0,
        "lastMessageAt": None,
        "lastMessage": None,
        "messages": {"totalCount": 0, "nodes": []},
    }


async def test_unread_is_what_the_viewer_has_not_read(acme: Workspace) -> None:
    talk = await acme.talk("bob", "carl", short_id="t")
    for _ in range(5):
        await acme.message(talk, "bob")
    await acme.cast.connection.execute(
        "UPDATE participants SET last_read_sequence = 3, read_count = 3 WHERE user_id = $1",
        acme.user("carl"),
    )
    query = '{ conversation(by: {shortId: "t"}) { unreadCount } }'
    for viewer, unread in {"carl": 2, "bob": 5, "root": 0}.items():  # root takes no part
        data = await acme.by(viewer).ask(query)
        assert data["conversation"]["unreadCount"] == unread, viewer


async def test_last_message_is_the_last_one_that_is_not_deleted(acme: Workspace) -> None:
    talk = await acme.talk("bob", short_id="t")
    kept, gone = [await acme.message(talk, "bob") for _ in range(2)]
    query = '{ conversation(by: {shortId: "t"}) { messageCount lastMessage { id } } }'
    await acme.delete("messages", gone)
    data = await acme.by("bob").ask(query)
    assert data["conversation"] == {"messageCount": 1, "lastMessage": {"id": gid("Message", kept)}}
    await acme.delete("messages", kept)
    data = await acme.by("bob").ask(query)
    assert data["conversation"] == {"messageCount": 0, "lastMessage": None}


async def test_an_account_that_was_deleted_owns_nothing(acme: Workspace) -> None:
    talk = await acme.talk("carl", "bob", short_id="t")
    await acme.message(talk, "carl", content="mine")
    await acme.cast.connection.execute("DELETE FROM users WHERE username = 'carl'")
    data = await acme.by("bob").ask(
        """{ conversation(by: {shortId: "t"}) { owner { id }
            participants(first: 9) { totalCount nodes { username } }
            messages(first: 9) { nodes { content author { id } } } } }"""
    )
    assert data["conversation"] == {
        "owner": None,
        "participants": {"totalCount": 1, "nodes": [{"username": "bob"}]},
        "messages": {"nodes": [{"content": "mine", "author": None}]},
    }


# Every way to a conversation that bob and carl have without the others.
ROUTES = {
    "by id": "{ conversation(by: {id: $talk}) { id } }",
    "by short id": '{ conversation(by: {shortId: "t"}) { id } }',
    "node": "{ node(id: $talk) { id } }",
    "nodes": "{ nodes(ids: [$talk]) { id } }",
    "list": "{ conversations(first: 9) { nodes { id } } }",
    "of the owner": "{ conversations(first: 9, filter: {ownerId: $bob}) { nodes { id } } }",
    "with": "{ conversations(first: 9, filter: {participantId: $bob}) { nodes { id } } }",
    "title": '{ conversations(first: 9, filter: {titleContains: "se"}) { nodes { id } } }',
    "deleted": "{ conversations(first: 9, filter: {includeDeleted: true}) { nodes { id } } }",
    "of a user": "{ user(by: {id: $bob}) { conversations(first: 9) { nodes { id } } } }",
    "of a message": "{ node(id: $message) { ... on Message { conversation { id } } } }",
    "citing": """{ node(id: $document) { ... on Document {
        citedBy(first: 9) { nodes { conversation { id } } } } } }""",
}


async def _talk(acme: Workspace) -> dict[str, str]:
    talk = await acme.talk("bob", "carl", title="secret", short_id="t")
    message = await acme.message(talk, "bob")
    document = await acme.document("bob")
    await acme.cite(message, document)
    return {
        "talk": gid("Conversation", talk),
        "bob": gid("User", acme.user("bob")),
        "message": gid("Message", message),
        "document": gid("Document", document),
    }


async def _sees(acme: Workspace, viewer: str, route: str, ids: dict[str, str]) -> bool:
    used = {name: id for name, id in ids.items() if f"${name}" in route}
    head = ", ".join(f"${name}: ID!" for name in used)
    answer = await acme.by(viewer).ask(f"query {f'({head})' if head else ''} {route}", **used)
    return ids["talk"] in str(answer)


@pytest.mark.parametrize("route", ROUTES.values(), ids=ROUTES)
async def test_seen_by_participants_and_admins(acme: Workspace, route: str) -> None:
    erin = await acme.cast.person("erin", acme.id)
    await acme.cast.member(acme.id, erin.id)
    ids = await _talk(acme)
    seen = {name: await _sees(acme, name, route, ids) for name in ("ada", "root", "bob", "carl")}
    assert seen == dict.fromkeys(seen, True)
    assert not await _sees(acme, "erin", route, ids)


async def test_a_former_participant_sees_it_no_more(acme: Workspace) -> None:
    ids = await _talk(acme)
    await acme.cast.connection.execute(
        "DELETE FROM participants WHERE user_id = $1", acme.user("carl")
    )
    assert not any([await _sees(acme, "carl", route, ids) for route in ROUTES.values()])


async def test_a_deleted_one_is_shown_to_its_owner_and_admins_who_ask(acme: Workspace) -> None:
    ids = await _talk(acme)
    await acme.cast.connection.execute("UPDATE conversations SET deleted_at = $1", AT)
    for name, route in ROUTES.items():
        for viewer in ("ada", "root", "bob", "carl"):
            may_see = name == "deleted" and viewer != "carl"
            assert await _sees(acme, viewer, route, ids) == may_see, (name, viewer)


async def test_within_a_deleted_one(acme: Workspace) -> None:
    talk = await acme.talk("bob", "carl")
    document = await acme.document("bob")
    message = await acme.message(talk, "bob", content="said")
    await acme.cite(message, document)
    await acme.cast.connection.execute("UPDATE conversations SET deleted_at = $1", AT)
    query = """{ conversations(first: 9, filter: {includeDeleted: true}) { totalCount nodes {
        deletedAt owner { username } participants(first: 9) { totalCount }
        lastMessage { content conversation { id } }
        messages(first: 9) { nodes { conversation { id deletedAt } usedDocuments { id } } } } } }"""
    id, at = gid("Conversation", talk), AT.isoformat()
    for viewer in ("bob", "root"):
        found = (await acme.by(viewer).ask(query))["conversations"]
        assert found == {
            "totalCount": 1,
            "nodes": [
                {
                    "deletedAt": at,
                    "owner": {"username": "bob"},
                    "participants": {"totalCount": 2},
                    "lastMessage": {"content": "said", "conversation": {"id": id}},
                    "messages": {
                        "nodes": [
                            {
                                "conversation": {"id": id, "deletedAt": at},
                                "usedDocuments": [{"id": gid("Document", document)}],
                            }
                        ]
                    },
                }
            ],
        }


async def _titles(acme: Workspace, viewer: str, **filter: Any) -> set[str]:
    query = """query ($filter: ConversationFilter) { conversations(first: 99, filter: $filter) {
        totalCount nodes { title } } }"""
    found = (await acme.by(viewer).ask(query, filter=filter))["conversations"]
    titles = [node["title"] for node in found["nodes"]]
    assert found["totalCount"] == len(titles) == len(set(titles))
    return set(titles)


async def test_filters(acme: Workspace) -> None:
    one = await acme.talk("bob", "carl", title="One 100%")
    await acme.talk("carl", "bob", title="Two_2")
    await acme.talk("carl", title="three")
    await acme.message(one, "bob")
    ids = {name: gid("User", acme.user(name)) for name in ("bob", "carl", "ada")}
    everything = {"One 100%", "Two_2", "three"}
    cases: list[tuple[dict[str, Any], set[str]]] = [
        ({}, everything),
        (dict.fromkeys(("ownerId", "participantId", "titleContains", "hasUnread")), everything),
        ({"includeDeleted": None}, everything),
        ({"ownerId": ids["carl"]}, {"Two_2", "three"}),
        ({"ownerId": ids["ada"]}, set()),
        ({"ownerId": gid("User", MISSING)}, set()),
        ({"participantId": ids["bob"]}, {"One 100%", "Two_2"}),
        ({"participantId": ids["bob"], "ownerId": ids["bob"]}, {"One 100%"}),
        ({"titleContains": "T"}, {"Two_2", "three"}),
        ({"titleContains": "0%"}, {"One 100%"}),
        ({"titleContains": "o_2"}, {"Two_2"}),
        ({"titleContains": "t_o"}, set()),
        ({"titleContains": "%"}, {"One 100%"}),
        ({"titleContains": "\\"}, set()),
        ({"titleContains": ""}, everything),
        ({"hasUnread": True}, {"One 100%"}),
        ({"hasUnread": False}, {"Two_2", "three"}),
        ({"hasUnread": True, "ownerId": ids["carl"]}, set()),
    ]
    for filter, found in cases:
        assert await _titles(acme, "carl", **filter) == found, filter
    assert await _titles(acme, "root", hasUnread=True) == set()
    assert await _titles(acme, "root", hasUnread=False) == everything
    assert await _titles(acme, "bob", participantId=ids["carl"]) == {"One 100%", "Two_2"}


async def test_filters_refuse_what_is_no_users_id(acme: Workspace) -> None:
    talk = await acme.talk("bob")
    query = """query ($filter: ConversationFilter) {
        conversations(first: 1, filter: $filter) { nodes { id } } }"""
    for field in ("ownerId", "participantId"):
        for id in ("", "x", str(acme.user("bob")), gid("Conversation", talk), "é", "\0"):
            response = await acme.by("bob").post(query, filter={field: id})
            (error,) = response.json()["errors"]
            assert error["extensions"] == {"code": "BAD_INPUT", "field": ["filter", field]}
    assert await acme.by("bob").codes(query, filter={"titleContains": "\0"}) == ["BAD_INPUT"]


async def test_orders(acme: Workspace) -> None:
    """By day of creation: b, a, c. The last word: in a on day 9, in b on day 5, in c never."""
    days = [datetime(2026, 3, day, tzinfo=UTC) for day in range(1, 10)]
    for title, created, said in (("b", 0, 4), ("a", 1, 8), ("c", 2, None)):
        await acme.talk(
            "bob",
            title=title,
            created_at=days[created],
            last_message_at=None if said is None else days[said],
        )
    query = (
        "query ($o: ConversationOrder) { conversations(first: 9, orderBy: $o) { nodes { title } } }"
    )
    for order, titles in {
        "LAST_MESSAGE_AT_DESC": "abc",
        None: "abc",
        "CREATED_AT_DESC": "cab",
        "CREATED_AT_ASC": "bac",
        "TITLE_ASC": "abc",
    }.items():
        found = (await acme.by("bob").ask(query, o=order))["conversations"]["nodes"]
        assert "".join(node["title"] for node in found) == titles, order
    assert (await acme.by("bob").ask("{ conversations(first: 1) { nodes { title } } }"))[
        "conversations"
    ]["nodes"] == [{"title": "a"}]

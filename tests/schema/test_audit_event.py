from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from core.viewer import Caller
from resolvers.audit_event import record
from tables.engine import DB
from tests.schema.workspace import MISSING, Workspace, gid, open_workspace

AT = datetime(2026, 2, 3, 4, 5, 6, 700_001, tzinfo=UTC)
FIELDS = "__typename id action actor { username } targetId details ipAddress requestId createdAt"
LIST = """query ($first: Int, $after: String, $last: Int, $before: String, $filter: AuditFilter) {
    auditEvents(first: $first, after: $after, last: $last, before: $before, filter: $filter) {
        totalCount nodes { %s }
        pageInfo { startCursor endCursor hasNextPage hasPreviousPage } } }"""
ACTIONS = LIST % "action"
NODE = "query ($id: ID!) { node(id: $id) { ... on AuditEvent { %s } } }"


async def test_every_field(acme: Workspace) -> None:
    talk = await acme.talk("bob")
    event = await acme.cast.audit_event(
        acme.id,
        "conversation.renamed",
        actor_id=acme.user("bob"),
        target_id=f"Conversation:{talk}",
        details={"title": ["Früher", None], "n": 1.5},
        ip_address="2001:db8::1",
        request_id="r-1",
        created_at=AT,
    )
    shown = {
        "__typename": "AuditEvent",
        "id": gid("AuditEvent", event),
        "action": "conversation.renamed",
        "actor": {"username": "bob"},
        "targetId": gid("Conversation", talk),
        "details": {"title": ["Früher", None], "n": 1.5},
        "ipAddress": "2001:db8::1",
        "requestId": "r-1",
        "createdAt": AT.isoformat(),
    }
    data = await acme.by("ada").ask(NODE % FIELDS, id=gid("AuditEvent", event))
    assert data == {"node": shown}
    listed = (await acme.by("ada").ask(LIST % FIELDS, first=9))["auditEvents"]
    assert (listed["totalCount"], listed["nodes"]) == (1, [shown])


async def test_a_command_did_it_to_nothing(acme: Workspace) -> None:
    event = await acme.cast.audit_event(acme.id, "import.tinydb")
    fields = "actor { id } targetId details ipAddress requestId"
    data = await acme.by("root").ask(NODE % fields, id=gid("AuditEvent", event))
    nothing = dict.fromkeys(("actor", "targetId", "ipAddress", "requestId"))
    assert data["node"] == nothing | {"details": {}}


async def test_who_did_it_may_have_left(acme: Workspace) -> None:
    stranger = await acme.cast.person("eve")
    for user in (acme.user("dora"), acme.user("carl"), stranger.id):
        await acme.cast.audit_event(acme.id, "x", actor_id=user)
    await acme.cast.connection.execute("DELETE FROM users WHERE username = 'carl'")
    found = await acme.by("ada").ask(LIST % "actor { username }", last=9)
    actors = [node["actor"] for node in found["auditEvents"]["nodes"]]
    assert actors == [None, None, {"username": "dora"}]


async def test_what_is_recorded_is_read(acme: Workspace) -> None:
    caller = Caller("r-2", "192.0.2.7", "Mozilla")
    bob, ada = acme.user("bob"), acme.user("ada")
    async with DB.tenant(acme.id):
        await record(acme.id, None, Caller("r-1"), "tenant.updated")
    async with DB.identity():
        await record(acme.id, ada, caller, "member.added", ("User", bob), role="MEMBER", by=[ada])
    fields = "action actor { username } targetId details ipAddress requestId createdAt"
    found = (await acme.by("ada").ask(LIST % fields, first=9))["auditEvents"]["nodes"]
    ages = [datetime.now(UTC) - datetime.fromisoformat(node.pop("createdAt")) for node in found]
    assert timedelta() <= min(ages) <= max(ages) < timedelta(minutes=1)
    assert found == [
        {
            "action": "member.added",
            "actor": {"username": "ada"},
            "targetId": gid("User", bob),
            "details": {"role": "MEMBER", "by": [str(ada)]},
            "ipAddress": "192.0.2.7",
            "requestId": "r-2",
        },
        {
            "action": "tenant.updated",
            "actor": None,
            "targetId": None,
            "details": {},
            "ipAddress": None,
            "requestId": "r-1",
        },
    ]


async def test_nothing_is_recorded_of_what_did_not_happen(acme: Workspace) -> None:
    with pytest.raises(ZeroDivisionError):
        async with DB.tenant(acme.id):
            await record(acme.id, acme.user("ada"), Caller("r"), "x")
            raise ZeroDivisionError
    assert await _actions(acme) == ""


async def test_newest_first_in_pages_both_ways(acme: Workspace) -> None:
    for action in "bdac":
        await acme.cast.audit_event(acme.id, action, created_at=AT)
    await acme.cast.audit_event(acme.id, "e", created_at=AT - timedelta(microseconds=1))
    await acme.cast.audit_event(acme.id, "f", created_at=AT + timedelta(microseconds=1))
    assert await _walk(acme, "first", "after", "endCursor") == ["fc", "ad", "be"]
    assert await _walk(acme, "last", "before", "startCursor") == ["be", "ad", "fc"]


async def _walk(acme: Workspace, size: str, place: str, end: str) -> list[str]:
    cursor, pages = None, []
    more = "hasNextPage" if size == "first" else "hasPreviousPage"
    while True:
        data = await acme.by("root").ask(ACTIONS, **{size: 2, place: cursor})
        page = data["auditEvents"]
        assert page["totalCount"] == 6
        pages.append("".join(node["action"] for node in page["nodes"]))
        cursor = page["pageInfo"][end]
        if not page["pageInfo"][more]:
            return pages


async def _actions(acme: Workspace, name: str = "ada", **filter: Any) -> str:
    found = (await acme.by(name).ask(ACTIONS, first=99, filter=filter))["auditEvents"]
    actions = [node["action"] for node in found["nodes"]]
    assert found["totalCount"] == len(actions)
    return "".join(actions)


async def test_filters(acme: Workspace) -> None:
    ada, bob = acme.user("ada"), acme.user("bob")
    talk = await acme.talk("bob")
    hour = timedelta(hours=1)
    events: list[tuple[str, dict[str, Any]]] = [
        ("a", {"actor_id": ada, "target_id": f"User:{bob}"}),
        ("b", {"actor_id": bob, "target_id": f"Conversation:{talk}"}),
        ("a", {"actor_id": bob, "target_id": f"User:{bob}"}),
        ("c", {}),
    ]
    for n, (action, values) in enumerate(events):
        await acme.cast.audit_event(acme.id, action, created_at=AT + n * hour, **values)
    at = [(AT + n * hour).isoformat() for n in range(4)]
    after_first = (AT + timedelta(microseconds=1)).isoformat()
    east = AT.replace(tzinfo=None) + 3 * hour
    everything = {
        "action": "a",
        "actorId": gid("User", bob),
        "targetId": gid("User", bob),
        "since": at[2],
        "until": at[3],
    }
    cases: list[tuple[dict[str, Any], str]] = [
        ({}, "caba"),
        (dict.fromkeys(everything), "caba"),
        ({"action": "a"}, "aa"),
        ({"action": "A"}, ""),
        ({"action": "%"}, ""),
        ({"action": ""}, ""),
        ({"actorId": gid("User", bob)}, "ab"),
        ({"actorId": gid("User", acme.user("carl"))}, ""),
        ({"targetId": gid("User", bob)}, "aa"),
        ({"targetId": gid("Conversation", talk)}, "b"),
        ({"targetId": gid("Message", talk)}, ""),
        ({"targetId": gid("Nothing", MISSING)}, ""),
        ({"since": at[2]}, "ca"),
        ({"until": at[2]}, "ba"),
        ({"since": at[1], "until": at[3]}, "ab"),
        ({"since": after_first}, "cab"),
        ({"until": after_first}, "a"),
        ({"since": at[2], "until": at[2]}, ""),
        ({"since": east.isoformat() + "+02:00"}, "cab"),
        ({"since": "0001-01-01T00:00Z", "until": "9999-12-31T23:59:59.999999Z"}, "caba"),
        (everything, "a"),
        *((everything | {key: other}, "") for key, other in _others(acme, at).items()),
    ]
    for filter, found in cases:
        assert await _actions(acme, **filter) == found, filter


def _others(acme: Workspace, at: list[str]) -> dict[str, str]:
    """What keeps the event out that all filters find, by any one of them."""
    ada = gid("User", acme.user("ada"))
    return {"action": "b", "actorId": ada, "targetId": ada, "since": at[3], "until": at[2]}


async def test_filters_refuse_what_cannot_be(acme: Workspace) -> None:
    cases = [
        ("action", "\0"),
        ("actorId", "x"),
        ("actorId", ""),
        ("actorId", gid("Membership", acme.user("bob"))),
        ("targetId", "x"),
        ("targetId", ""),
        ("targetId", str(acme.id)),
        ("targetId", gid("\0", acme.id)),
        ("since", "2026-02-03T04:05:06"),
        ("until", "2026-02-03"),
        ("since", "0001-01-01T00:00:00+00:01"),
        ("until", "9999-12-31T23:59:59-00:01"),
    ]
    for field, value in cases:
        response = await acme.by("ada").post(ACTIONS, first=1, filter={field: value})
        (error,) = response.json()["errors"]
        assert error["extensions"] == {"code": "BAD_INPUT", "field": ["filter", field]}, value


async def test_times_that_are_none(acme: Workspace) -> None:
    texts = ["", "yesterday", "2026-13-01T00:00:00Z", "10000-01-01T00:00:00Z", "9999-12-31T24:00Z"]
    for value in (*texts, 0, 1e9):
        for field in ("since", "until"):
            codes = await acme.by("ada").codes(ACTIONS, first=1, filter={field: value})
            assert codes == ["BAD_INPUT"], value


async def test_admins_alone_see_it(acme: Workspace) -> None:
    event = gid("AuditEvent", await acme.cast.audit_event(acme.id, "x"))
    stranger = await acme.cast.person("eve", acme.id)
    await acme.cast.member(await acme.cast.tenant("globex"), stranger.id, "OWNER")
    node = NODE % "action"
    for name in ("ada", "root"):
        assert await _actions(acme, name) == "x"
        assert await acme.by(name).ask(node, id=event) == {"node": {"action": "x"}}
    for name, client in {
        **{name: acme.by(name) for name in ("bob", "carl", "dora", "eve")},
        "nobody": acme.client,
    }.items():
        answer = (await client.post(ACTIONS, first=1)).json()
        codes = [error["extensions"] for error in answer["errors"]]
        assert codes == [{"code": "UNAUTHENTICATED" if name == "nobody" else "FORBIDDEN"}], name
        assert answer["data"] is None
    for name in ("bob", "carl"):
        nothing = await acme.by(name).ask(node, id=gid("AuditEvent", uuid4()))
        assert await acme.by(name).ask(node, id=event) == nothing == {"node": None}
    assert await acme.by("eve").codes(node, id=event) == ["FORBIDDEN"]
    assert await acme.client.codes(node, id=event) == ["UNAUTHENTICATED"]


async def test_members_are_told_why(acme: Workspace) -> None:
    (error,) = (await acme.by("bob").post(ACTIONS, first=1)).json()["errors"]
    assert error["message"] == "Only admins of the workspace may do this."


async def test_each_workspace_has_its_own(acme: Workspace) -> None:
    """Of the same people, who own both."""
    globex = await open_workspace(acme.cast, acme.client, "globex")
    events = {}
    for place in (acme, globex):
        events[place.slug] = await acme.cast.audit_event(
            place.id,
            "x",
            actor_id=acme.user("ada"),
            target_id=f"User:{acme.user('bob')}",
            created_at=AT,
        )
    filters = [
        {},
        {"action": "x"},
        {"actorId": gid("User", acme.user("ada"))},
        {"targetId": gid("User", acme.user("bob"))},
        {"since": AT.isoformat()},
        {"until": (AT + timedelta(days=1)).isoformat()},
    ]
    for place, other in ((acme, globex), (globex, acme)):
        own = gid("AuditEvent", events[place.slug])
        for filter in filters:
            found = await place.by("ada").ask(LIST % "id", first=9, filter=filter)
            assert found["auditEvents"]["nodes"] == [{"id": own}]
            assert found["auditEvents"]["totalCount"] == 1
        assert await place.by("ada").ask(NODE % "id", id=own) == {"node": {"id": own}}
        assert await other.by("ada").ask(NODE % "id", id=own) == {"node": None}

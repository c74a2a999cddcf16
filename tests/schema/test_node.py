"""Global ids: every object is found by its own; anything else is null, whatever the reason."""

import base64
from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from schema.node import global_id, parse_global_id
from schema.query import NODES
from tests.schema.workspace import MISSING, Workspace, gid

NODE = "query ($id: ID!) { node(id: $id) { __typename id } }"
NOW = datetime.now(UTC)


async def _one_of_each(acme: Workspace) -> dict[str, UUID]:
    """All of it root sees."""
    talk = await acme.talk("bob")
    return {
        "AuditEvent": await acme.cast.audit_event(acme.id, "x"),
        "Conversation": talk,
        "Document": await acme.document("bob"),
        "Membership": acme.memberships["bob"],
        "Message": await acme.message(talk, "bob"),
        "Session": acme.cast.people["root"].session_id,
        "Tenant": acme.id,
        "User": acme.user("bob"),
    }


async def test_everything_is_found_by_its_id(acme: Workspace) -> None:
    keys = await _one_of_each(acme)
    assert keys.keys() == {*NODES, "Session"}
    ids = [gid(kind, key) for kind, key in keys.items()]
    expected = [{"__typename": kind, "id": gid(kind, key)} for kind, key in keys.items()]
    for id, node in zip(ids, expected, strict=True):
        assert await acme.by("root").ask(NODE, id=id) == {"node": node}
    nodes = "query ($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }"
    assert await acme.by("root").ask(nodes, ids=ids) == {"nodes": expected}
    mixed = await acme.by("root").ask(
        nodes, ids=[ids[3], "x", ids[3], gid("User", MISSING), ids[0]]
    )
    assert mixed["nodes"] == [expected[3], None, expected[3], None, expected[0]]
    assert await acme.by("root").ask(nodes, ids=[]) == {"nodes": []}


async def test_a_key_under_another_type_is_nothing(acme: Workspace) -> None:
    keys = await _one_of_each(acme)
    for kind in (*keys, "Viewer", "Node", "Query", "", "user", "__Type"):
        for other, key in keys.items():
            if kind != other:
                assert await acme.by("ada").ask(NODE, id=gid(kind, key)) == {"node": None}


async def test_what_was_never_given_out_is_nothing(acme: Workspace) -> None:
    user = acme.user("bob")
    forged = [
        f"User:{user.hex}",
        f"User:{str(user).upper()}",
        f"User:{{{user}}}",
        f"User:urn:uuid:{user}",
        f"User: {user}",
        f" User:{user}",
        f"User:{user}\n",
        f"User:{user}:",
        f"User:{user}' OR true --",
        "User:",
        "User",
        ":",
    ]
    texts = [base64.b64encode(text.encode()).decode() for text in forged]
    good = gid("User", user)
    texts += [good + "=", good.rstrip("="), good[:-4], " " + good, good + "\n", good + "\0"]
    texts += ["", "x", "é", "\0", "=" * 8, "A" * 100_000, "😀", str(user), good.swapcase()]
    for text in texts:
        assert await acme.by("bob").ask(NODE, id=text) == {"node": None}, text


@given(st.text() | st.binary().map(lambda raw: base64.b64encode(raw).decode()))
def test_any_text_is_an_id_or_nothing(text: str) -> None:
    parsed = parse_global_id(text)
    assert parsed is None or global_id(*parsed) == text


@given(st.text(alphabet="abcXYZ"), st.uuids())
def test_ids_are_read_as_they_were_made(kind: str, key: UUID) -> None:
    assert parse_global_id(global_id(kind, key)) == (kind, key)


async def test_at_most_100_nodes(acme: Workspace) -> None:
    query = "query ($ids: [ID!]!) { nodes(ids: $ids) { id } }"
    good = gid("User", acme.user("bob"))
    assert await acme.by("bob").ask(query, ids=[good] * 100) == {"nodes": [{"id": good}] * 100}
    response = (await acme.by("bob").post(query, ids=["x"] * 101)).json()
    assert response["errors"][0]["extensions"] == {"code": "BAD_INPUT", "field": ["ids"]}


async def test_sessions_are_found_while_they_live_and_by_their_owner(acme: Workspace) -> None:
    bob = acme.cast.people["bob"]
    phone = await acme.cast.insert("sessions", user_id=bob.id, expires_at=NOW + timedelta(hours=1))
    id = gid("Session", phone)
    assert await acme.by("bob").ask(NODE, id=id) == {"node": {"__typename": "Session", "id": id}}
    for viewer in ("ada", "root", "carl"):
        assert await acme.by(viewer).ask(NODE, id=id) == {"node": None}
    for change in ("revoked_at = now()", "revoked_at = NULL, expires_at = now()"):
        await acme.cast.connection.execute(f"UPDATE sessions SET {change} WHERE id = $1", phone)
        assert await acme.by("bob").ask(NODE, id=id) == {"node": None}

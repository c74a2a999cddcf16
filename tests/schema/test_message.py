from datetime import UTC, datetime
from typing import Any

from tests.schema.workspace import Workspace, gid

AT = datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)
METADATA = {"model": "x", "n": [1, 2.5, None, {"deep": True}], "ü": "\n\"'"}
FIELDS = """__typename id conversation { id } sequence role author { username } content tokenCount
    usedDocuments { id } metadata createdAt editedAt deletedAt"""


async def _message(acme: Workspace, viewer: str, message: object) -> Any:
    query = f"query ($id: ID!) {{ node(id: $id) {{ ... on Message {{ {FIELDS} }} }} }}"
    return (await acme.by(viewer).ask(query, id=message))["node"]


async def test_every_field(acme: Workspace) -> None:
    talk = await acme.talk("bob")
    await acme.message(talk, None, role="SYSTEM")
    message = await acme.message(
        talk,
        "bob",
        content="hi\n✓",
        token_count=7,
        metadata=METADATA,
        created_at=AT,
        edited_at=AT,
    )
    documents = [await acme.document("bob") for _ in range(3)]
    stored = [documents[2], documents[0], documents[1]]
    await acme.cite(message, *stored)
    assert await _message(acme, "bob", gid("Message", message)) == {
        "__typename": "Message",
        "id": gid("Message", message),
        "conversation": {"id": gid("Conversation", talk)},
        "sequence": 2,
        "role": "USER",
        "author": {"username": "bob"},
        "content": "hi\n✓",
        "tokenCount": 7,
        "usedDocuments": [{"id": gid("Document", id)} for id in stored],
        "metadata": METADATA,
        "createdAt": AT.isoformat(),
        "editedAt": AT.isoformat(),
        "deletedAt": None,
    }


async def test_roles_and_authors(acme: Workspace) -> None:
    talk = await acme.talk("bob", "dora", short_id="t")
    await acme.message(talk, None, role="SYSTEM")
    await acme.message(talk, None)
    await acme.message(talk, "dora")  # who has left since
    data = await acme.by("bob").ask(
        """{ conversation(by: {shortId: "t"}) { messages(first: 9) { nodes {
            sequence role tokenCount editedAt metadata usedDocuments { id } author { username }
        } } } }"""
    )
    nothing: dict[str, Any] = {
        "tokenCount": None,
        "editedAt": None,
        "metadata": {},
        "usedDocuments": [],
    }
    assert data["conversation"]["messages"]["nodes"] == [
        nothing | {"sequence": 1, "role": "SYSTEM", "author": None},
        nothing | {"sequence": 2, "role": "ASSISTANT", "author": None},
        nothing | {"sequence": 3, "role": "USER", "author": {"username": "dora"}},
    ]


async def test_used_documents_are_those_that_the_viewer_may_see(acme: Workspace) -> None:
    talk = await acme.talk("bob")
    message = await acme.message(talk, "bob")
    kept, gone = [await acme.document("ada") for _ in range(2)]
    await acme.cite(message, gone, kept)
    await acme.delete("documents", gone)
    for viewer in ("bob", "ada"):
        found = await _message(acme, viewer, gid("Message", message))
        assert found["usedDocuments"] == [{"id": gid("Document", kept)}]


async def test_a_deleted_one_keeps_its_place_and_says_nothing(acme: Workspace) -> None:
    talk = await acme.talk("bob", "carl", short_id="t")
    message = await acme.message(talk, "bob", content="regret", metadata=METADATA, token_count=3)
    await acme.message(talk, "bob", content="stays")
    document = await acme.document("bob")
    await acme.cite(message, document)
    await acme.delete("messages", message)
    query = """query ($all: Boolean) { conversation(by: {shortId: "t"}) { messageCount
        messages(first: 9, includeDeleted: $all) { totalCount nodes {
            sequence content metadata usedDocuments { id } deletedAt } } } }"""
    left_out = {
        "sequence": 2,
        "content": "stays",
        "metadata": {},
        "usedDocuments": [],
        "deletedAt": None,
    }
    place = {
        "sequence": 1,
        "content": "",
        "metadata": {},
        "usedDocuments": [],
        "deletedAt": acme.cast.clock.isoformat(),
    }
    for viewer in ("bob", "carl", "root", "ada"):  # nobody, not even admins, reads it again
        for all, nodes in ((None, [left_out]), (False, [left_out]), (True, [place, left_out])):
            response = await acme.by(viewer).post(query, all=all)
            assert "regret" not in response.text
            assert response.json()["data"]["conversation"] == {
                "messageCount": 1,
                "messages": {"totalCount": len(nodes), "nodes": nodes},
            }, (viewer, all)
        assert await _message(acme, viewer, gid("Message", message)) is None
        cited = await acme.by(viewer).ask(
            "query ($id: ID!) { node(id: $id) { ... on Document {"
            " citedBy(first: 9) { totalCount nodes { id } } } } }",
            id=gid("Document", document),
        )
        assert cited["node"]["citedBy"] == {"totalCount": 0, "nodes": []}


async def test_numbers_beyond_a_double_are_no_failure(acme: Workspace) -> None:
    """PostgreSQL holds any number in JSON."""
    talk = await acme.talk("bob")
    message = await acme.message(talk, "bob")
    for number in ("1e400", "-1e400", "1e-400", "1" + "0" * 400):
        await acme.cast.connection.execute(f"UPDATE messages SET metadata = '{{\"n\": {number}}}'")
        found = await _message(acme, "bob", gid("Message", message))
        assert "n" in found["metadata"], number

from datetime import UTC, datetime
from typing import Any

from tests.schema.workspace import Workspace, gid

AT = datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)
NODE = "query ($id: ID!) { node(id: $id) { ... on Document { %s } } }"


async def test_every_field(acme: Workspace) -> None:
    document = await acme.document(
        "bob",
        filename="Plan ✓.md",
        content_type="text/plain",
        size=6,
        content="Plän\n",
        metadata={"pages": [1]},
        tags=["b", "a"],
        created_at=AT,
        updated_at=AT,
    )
    talk = await acme.talk("carl")
    message = await acme.message(talk, "carl")
    await acme.cite(message, document)
    fields = """__typename id filename contentType size content metadata tags owner { username }
        citedBy(first: 9) { totalCount nodes { id } } createdAt updatedAt deletedAt"""
    data = await acme.by("carl").ask(NODE % fields, id=gid("Document", document))
    assert data["node"] == {
        "__typename": "Document",
        "id": gid("Document", document),
        "filename": "Plan ✓.md",
        "contentType": "text/plain",
        "size": 6,
        "content": "Plän\n",
        "metadata": {"pages": [1]},
        "tags": ["b", "a"],
        "owner": {"username": "bob"},
        "citedBy": {"totalCount": 1, "nodes": [{"id": gid("Message", message)}]},
        "createdAt": AT.isoformat(),
        "updatedAt": AT.isoformat(),
        "deletedAt": None,
    }


async def test_nothing_in_it_and_nobodys(acme: Workspace) -> None:
    document = await acme.document("carl", content=None, size=0)
    await acme.cast.connection.execute("DELETE FROM users WHERE username = 'carl'")
    fields = "size content metadata tags owner { id } citedBy(last: 1) { totalCount nodes { id } }"
    data = await acme.by("bob").ask(NODE % fields, id=gid("Document", document))
    assert data["node"] == {
        "size": 0,
        "content": None,
        "metadata": {},
        "tags": [],
        "owner": None,
        "citedBy": {"totalCount": 0, "nodes": []},
    }


async def test_seen_by_all_members(acme: Workspace) -> None:
    document = await acme.document("bob")
    for viewer in ("ada", "root", "bob", "carl"):
        data = await acme.by(viewer).ask(
            "query ($id: ID!) { node(id: $id) { id } documents(first: 9) { nodes { id } } }",
            id=gid("Document", document),
        )
        assert data["node"] == {"id": gid("Document", document)}
        assert data["documents"]["nodes"] == [data["node"]]


async def test_a_deleted_one_is_shown_to_its_owner_and_admins_who_ask(acme: Workspace) -> None:
    document = await acme.document("bob", content="secret")
    await acme.delete("documents", document)
    query = """query ($id: ID!, $all: Boolean) { node(id: $id) { id }
        documents(first: 9, filter: {includeDeleted: $all}) { totalCount nodes {
            id content deletedAt } } }"""
    shown = {
        "id": gid("Document", document),
        "content": "secret",
        "deletedAt": acme.cast.clock.isoformat(),
    }
    for viewer in ("ada", "root", "bob", "carl"):
        for all in (None, False, True):
            data = await acme.by(viewer).ask(query, id=gid("Document", document), all=all)
            nodes = [shown] if all and viewer != "carl" else []
            assert data == {
                "node": None,
                "documents": {"totalCount": len(nodes), "nodes": nodes},
            }, (viewer, all)


async def test_cited_by_messages_that_the_viewer_sees(acme: Workspace) -> None:
    document = await acme.document("ada")
    mine, theirs, gone = [await acme.talk(name) for name in ("bob", "carl", "bob")]
    messages = {talk: await acme.message(talk, None) for talk in (mine, theirs, gone)}
    for message in messages.values():
        await acme.cite(message, document)
    await acme.delete("conversations", gone)
    for viewer, talks in {"bob": [mine], "carl": [theirs], "root": [theirs, mine]}.items():
        data = await acme.by(viewer).ask(
            NODE % "citedBy(first: 9) { totalCount nodes { id } }", id=gid("Document", document)
        )
        assert data["node"]["citedBy"] == {
            "totalCount": len(talks),
            "nodes": [{"id": gid("Message", messages[talk])} for talk in talks],
        }, viewer


async def _names(acme: Workspace, **filter: Any) -> str:
    query = """query ($filter: DocumentFilter) { documents(first: 99, filter: $filter) {
        totalCount nodes { filename } } }"""
    found = (await acme.by("carl").ask(query, filter=filter))["documents"]
    names = [node["filename"] for node in found["nodes"]]
    assert found["totalCount"] == len(names)
    return "".join(names)


async def test_filters(acme: Workspace) -> None:
    await acme.document("ada", filename="1", tags=["x", "y"], content_type="text/plain")
    await acme.document("bob", filename="2", tags=["y", "é%"])
    await acme.document("bob", filename="3", tags=[])
    cases: list[tuple[dict[str, Any], str]] = [
        ({}, "321"),
        (dict.fromkeys(("tagsAll", "tagsAny", "contentType", "ownerId")), "321"),
        ({"tagsAll": ["y"]}, "21"),
        ({"tagsAll": ["y", "x"]}, "1"),
        ({"tagsAll": []}, "321"),
        ({"tagsAll": ["Y"]}, ""),
        ({"tagsAll": ["é%"]}, "2"),
        ({"tagsAny": ["x", "é%"]}, "21"),
        ({"tagsAny": ["z"]}, ""),
        ({"tagsAny": []}, ""),
        ({"tagsAny": ["x"], "tagsAll": ["é%"]}, ""),
        ({"contentType": "text/plain"}, "1"),
        ({"contentType": " Text/PLAIN"}, "1"),
        ({"contentType": "text/%"}, ""),
        ({"contentType": ""}, ""),
        ({"ownerId": gid("User", acme.user("bob"))}, "32"),
        ({"ownerId": gid("User", acme.user("bob")), "tagsAny": ["y"]}, "2"),
        ({"ownerId": gid("User", acme.user("carl"))}, ""),
    ]
    for filter, found in cases:
        assert await _names(acme, **filter) == found, filter


async def test_filters_refuse_what_cannot_be(acme: Workspace) -> None:
    query = (
        "query ($filter: DocumentFilter) { documents(first: 1, filter: $filter) { nodes { id } } }"
    )
    for filter in (
        {"tagsAll": ["\0"]},
        {"tagsAny": ["ok", "\0"]},
        {"contentType": "\0"},
        {"ownerId": "x"},
        {"ownerId": gid("Document", acme.user("bob"))},
    ):
        response = await acme.by("bob").post(query, filter=filter)
        (error,) = response.json()["errors"]
        (field,) = filter
        assert error["extensions"] == {"code": "BAD_INPUT", "field": ["filter", field]}

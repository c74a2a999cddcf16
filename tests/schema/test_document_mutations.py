"""Adding, changing, deleting and restoring documents."""

import asyncio
from typing import Any

import pytest

from tests.graph import SETTINGS, Client, asking
from tests.schema.workspace import MISSING, Workspace, gid

NEW = {"filename": "Plan.md", "contentType": "text/markdown", "content": "Plän\n"}
FIELDS = """document { id filename contentType content size metadata tags deletedAt
    owner { username } }"""
EVENTS = """{ auditEvents(first: 9) { nodes { action details targetId actor { username } } } }"""
BAD = "BAD_INPUT"


async def _rows(acme: Workspace) -> list[str]:
    """Everything that is stored of documents, and of what was done."""
    rows = await acme.cast.connection.fetch(
        "SELECT to_jsonb(d)::text FROM documents d UNION ALL"
        " SELECT to_jsonb(a)::text FROM audit_events a ORDER BY 1"
    )
    return [row[0] for row in rows]


async def _count(acme: Workspace) -> int:
    found: int = await acme.cast.connection.fetchval("SELECT count(*) FROM documents")
    return found


def _id(document: Any) -> str:
    return gid("Document", document)


async def test_made_by_a_member_and_seen_by_all(acme: Workspace) -> None:
    made = await acme.by("bob").mutate(
        "createDocument",
        FIELDS,
        **NEW | {"filename": " Plan ✓.md ", "contentType": " Text/MARKDOWN"},
        metadata={"pages": [1, {"é": None}]},
        tags=[" b ", "a", "b", "B"],
    )
    document = made["document"]
    id = document.pop("id")
    assert made == {
        "errors": [],
        "document": {
            "filename": "Plan ✓.md",
            "contentType": "text/markdown",
            "content": "Plän\n",
            "size": 6,
            "metadata": {"pages": [1, {"é": None}]},
            "tags": ["b", "a", "B"],
            "deletedAt": None,
            "owner": {"username": "bob"},
        },
    }
    query = "query ($id: ID!) { node(id: $id) { ... on Document { content } } }"
    assert await acme.by("carl").ask(query, id=id) == {"node": {"content": "Plän\n"}}
    assert len(await _rows(acme)) == 1  # it is not for the log


async def test_what_may_be_left_out(acme: Workspace) -> None:
    nulls = {"metadata": None, "idempotencyKey": None}
    for more in ({}, nulls):
        made = await acme.by("bob").mutate("createDocument", FIELDS, **NEW | {"content": ""} | more)
        assert (made["document"]["metadata"], made["document"]["tags"]) == ({}, [])
        assert (made["document"]["content"], made["document"]["size"]) == ("", 0)
    assert await _count(acme) == 2


FAULTS: list[tuple[dict[str, Any], list[str]]] = [
    ({"filename": ""}, ["filename"]),
    ({"filename": " \u2060"}, ["filename"]),
    ({"filename": "a\nb"}, ["filename"]),
    ({"filename": "a\0"}, ["filename"]),
    ({"filename": "x" * 256}, ["filename"]),
    ({"content": "a\0b"}, ["content"]),
    ({"content": "é" * 250_001}, ["content"]),
    ({"metadata": []}, ["metadata"]),
    ({"metadata": "x"}, ["metadata"]),
    ({"metadata": {"a": ["\0"]}}, ["metadata"]),
    ({"metadata": {"\0": 1}}, ["metadata"]),
    ({"metadata": {"a": "x" * 20_000}}, ["metadata"]),
    ({"tags": ["ok", "\0"]}, ["tags", "1"]),
    ({"tags": [" "]}, ["tags", "0"]),
    ({"tags": ["x" * 101]}, ["tags", "0"]),
    ({"tags": [str(n) for n in range(51)]}, ["tags"]),
]
FAULTS_OF_NEW: list[tuple[dict[str, Any], list[str]]] = [
    ({"contentType": ""}, ["contentType"]),
    ({"contentType": "text"}, ["contentType"]),
    ({"contentType": "text/"}, ["contentType"]),
    ({"contentType": "text/a b"}, ["contentType"]),
    ({"contentType": "text/plain; charset=utf-8"}, ["contentType"]),
    ({"contentType": "text/\0"}, ["contentType"]),
    ({"contentType": "text/" + "x" * 123}, ["contentType"]),
    ({"idempotencyKey": ""}, ["idempotencyKey"]),
    ({"idempotencyKey": "\0"}, ["idempotencyKey"]),
    ({"idempotencyKey": "x" * 201}, ["idempotencyKey"]),
]


@pytest.mark.parametrize(("fault", "field"), FAULTS + FAULTS_OF_NEW)
async def test_what_cannot_be_is_not_made(
    acme: Workspace, fault: dict[str, Any], field: list[str]
) -> None:
    assert await acme.by("bob").refused("createDocument", **NEW | fault) == [(BAD, field)]
    assert await _rows(acme) == []


async def test_all_faults_at_once(acme: Workspace) -> None:
    refused = await acme.by("bob").refused(
        "createDocument", filename="", contentType="x", content="\0", tags=[""]
    )
    fields = [["filename"], ["contentType"], ["content"], ["tags", "0"]]
    assert refused == [(BAD, field) for field in fields]


async def test_the_most_that_may_be(acme: Workspace) -> None:
    most = {
        "filename": "ü" * 255,
        "contentType": "text/" + "x" * 122,
        "content": "é" * 250_000,
        "tags": [f"{n:0100}" for n in range(50)],
        "idempotencyKey": "x" * 200,
    }
    made = await acme.by("bob").mutate("createDocument", FIELDS, **most)
    assert made["errors"] == []
    assert made["document"]["size"] == 500_000
    assert made["document"]["tags"] == most["tags"]


async def test_content_too_rich_for_the_index_is_kept(acme: Workspace) -> None:
    content = "zebra " + " ".join(f"{n:04x}-{n * 7:05x}" for n in range(45_000))
    made = await acme.by("bob").mutate("createDocument", FIELDS, **NEW | {"content": content})
    assert made["errors"] == []
    assert made["document"]["content"] == content
    query = '{ documents(first: 9, filter: {search: "zebra"}) { totalCount } }'
    assert await acme.by("carl").ask(query) == {"documents": {"totalCount": 1}}


async def test_the_size_is_a_setting(acme: Workspace) -> None:
    async with asking(SETTINGS.model_copy(update={"max_document_bytes": 4})) as nobody:
        bob = nobody.signed_in(acme.cast.people["bob"], "acme")
        assert await bob.refused("createDocument", **NEW | {"content": "ééx"}) == [
            (BAD, ["content"])
        ]
        made = await bob.mutate("createDocument", FIELDS, **NEW | {"content": "éé"})
        id = made["document"]["id"]
        assert await bob.refused("updateDocument", id=id, content="ééx") == [(BAD, ["content"])]


async def test_a_key_makes_one_document(acme: Workspace) -> None:
    bob, keyed = acme.by("bob"), NEW | {"idempotencyKey": " k ✓"}
    first = await bob.mutate("createDocument", FIELDS, **keyed)
    assert await bob.mutate("createDocument", FIELDS, **keyed) == first
    # Written otherwise, it is the same.
    same = keyed | {"filename": " Plan.md", "tags": [], "metadata": {}}
    assert await bob.mutate("createDocument", FIELDS, **same) == first
    assert await _count(acme) == 1
    others: list[dict[str, Any]] = [
        {"content": "other"},
        {"filename": "other.md"},
        {"contentType": "text/other"},
        {"tags": ["other"]},
        {"metadata": {"other": 1}},
    ]
    before = await _rows(acme)
    for other in others:
        refused = await bob.refused("createDocument", **keyed | other)
        assert refused == [("CONFLICT", ["idempotencyKey"])], other
    assert await _rows(acme) == before


async def test_a_retry_after_the_document_has_changed(acme: Workspace) -> None:
    bob, keyed = acme.by("bob"), NEW | {"idempotencyKey": "k"}
    made = (await bob.mutate("createDocument", FIELDS, **keyed))["document"]
    await bob.mutate("updateDocument", id=made["id"], content="later")
    await bob.mutate("deleteDocument", id=made["id"])
    again = await bob.mutate("createDocument", FIELDS, **keyed)
    assert again["errors"] == []
    assert again["document"]["id"] == made["id"]
    assert again["document"]["content"] == "later"
    assert again["document"]["deletedAt"] is not None
    refused = await bob.refused("createDocument", **keyed | {"content": "later"})
    assert refused == [("CONFLICT", ["idempotencyKey"])]


async def test_a_key_is_of_one_person_in_one_workspace(acme: Workspace) -> None:
    tenant = await acme.cast.tenant("globex")
    await acme.cast.member(tenant, acme.user("bob"))
    keyed = NEW | {"idempotencyKey": "k"}
    clients = [acme.by("bob"), acme.by("carl"), acme.by("bob", "globex")]
    made = [await client.mutate("createDocument", FIELDS, **keyed) for client in clients]
    assert len({payload["document"]["id"] for payload in made}) == 3


async def test_a_key_at_once(acme: Workspace) -> None:
    bob, keyed = acme.by("bob"), NEW | {"idempotencyKey": "k"}
    made = await asyncio.gather(
        *(bob.mutate("createDocument", FIELDS, **keyed) for _ in range(12)),
        *(bob.mutate("createDocument", FIELDS, **keyed | {"content": "x"}) for _ in range(12)),
    )
    codes = [error["code"] for payload in made for error in payload["errors"]]
    assert codes == ["CONFLICT"] * 12
    assert len({payload["document"]["id"] for payload in made if payload["document"]}) == 1
    assert await _count(acme) == 1


async def test_what_is_given_changes(acme: Workspace) -> None:
    bob = acme.by("bob")
    made = await bob.mutate("createDocument", FIELDS, **NEW, metadata={"a": 1}, tags=["a"])
    expected = made["document"]
    changes: list[dict[str, Any]] = [
        {},
        {"filename": "new.md"},
        {"content": "€"},
        {"metadata": {"b": 2}},
        {"metadata": {}},
        {"tags": ["c", "b"]},
        {"tags": []},
        {"content": "", "filename": "newer.md", "tags": ["z"], "metadata": {"c": 3}},
    ]
    for change in changes:
        changed = await bob.mutate("updateDocument", FIELDS, id=expected["id"], **change)
        expected |= change
        expected["size"] = len(expected["content"].encode())
        assert changed == {"errors": [], "document": expected}


@pytest.mark.parametrize(
    ("fault", "field"),
    [
        *FAULTS,
        *(({name: None}, [name]) for name in ("filename", "content", "metadata", "tags")),
    ],
)
async def test_what_cannot_be_changes_nothing(
    acme: Workspace, fault: dict[str, Any], field: list[str]
) -> None:
    id = _id(await acme.document("bob"))
    before = await _rows(acme)
    given = {"id": id, "filename": "new.md"} | fault
    assert await acme.by("bob").refused("updateDocument", **given) == [(BAD, field)]
    assert await _rows(acme) == before


async def test_deleted_and_restored(acme: Workspace) -> None:
    id = _id(await acme.document("bob", content="kept"))
    bob = acme.by("bob")
    deleted = (await bob.mutate("deleteDocument", FIELDS, id=id))["document"]
    assert deleted["deletedAt"] is not None
    assert deleted["content"] == "kept"
    before = await _rows(acme)
    for who in ("bob", "root"):
        again = await acme.by(who).mutate("deleteDocument", FIELDS, id=id)
        assert again == {"errors": [], "document": deleted}
    assert await _rows(acme) == before
    listed = "{ documents(first: 9) { nodes { id } } }"
    assert await bob.ask(listed) == {"documents": {"nodes": []}}
    assert await bob.refused("updateDocument", id=id, tags=[]) == [("NOT_FOUND", ["id"])]

    restored = (await acme.by("root").mutate("restoreDocument", FIELDS, id=id))["document"]
    assert restored == deleted | {"deletedAt": None}
    before = await _rows(acme)
    assert (await bob.mutate("restoreDocument", FIELDS, id=id))["document"] == restored
    assert await _rows(acme) == before
    assert await bob.ask(listed) == {"documents": {"nodes": [{"id": id}]}}

    events = (await acme.by("ada").ask(EVENTS))["auditEvents"]["nodes"]
    assert events == [
        {
            "action": f"document.{action}",
            "details": {},
            "targetId": id,
            "actor": {"username": who},
        }
        for action, who in (("restored", "root"), ("deleted", "bob"))
    ]


async def test_deleted_by_many_at_once_is_recorded_once(acme: Workspace) -> None:
    id = _id(await acme.document("bob"))
    clients = [acme.by(who) for who in ("bob", "root", "ada") * 4]
    await asyncio.gather(*(client.mutate("deleteDocument", id=id) for client in clients))
    assert await acme.cast.connection.fetchval("SELECT count(*) FROM audit_events") == 1


async def _tried(client: Client, id: str) -> list[list[tuple[str, list[str] | None]]]:
    return [
        await client.refused("updateDocument", id=id, content="x"),
        await client.refused("deleteDocument", id=id),
        await client.refused("restoreDocument", id=id),
    ]


async def test_who_may(acme: Workspace) -> None:
    id = _id(await acme.document("bob"))
    before = await _rows(acme)
    for who in ("carl", "dora"):
        assert await _tried(acme.by(who), id) == [[("FORBIDDEN", None)]] * 3, who
    assert await _rows(acme) == before
    for who in ("bob", "root", "ada"):
        assert await _tried(acme.by(who), id) == [[]] * 3, who


async def test_of_nobody_is_for_admins(acme: Workspace) -> None:
    id = _id(await acme.document(None))
    assert await _tried(acme.by("bob"), id) == [[("FORBIDDEN", None)]] * 3
    assert await _tried(acme.by("root"), id) == [[]] * 3


async def test_what_is_not_seen_is_missing(acme: Workspace) -> None:
    deleted = await acme.document("bob")
    await acme.delete("documents", deleted)
    globex = await acme.cast.tenant("globex")
    await acme.cast.member(globex, acme.user("carl"), "OWNER")
    foreign = await acme.cast.document(globex, acme.user("carl"))
    before = await _rows(acme)
    for id in (deleted, foreign, MISSING):
        assert await _tried(acme.by("carl"), _id(id)) == [[("NOT_FOUND", ["id"])]] * 3
    for text in (gid("User", acme.user("carl")), str(foreign), "", "\0"):
        assert await _tried(acme.by("carl"), text) == [[(BAD, ["id"])]] * 3
    assert await _rows(acme) == before


async def test_nobody_signed_in(acme: Workspace) -> None:
    nobody = Client(acme.client.http, {"X-Tenant": "acme"})
    id = _id(await acme.document("bob"))
    assert await nobody.refused("createDocument", **NEW) == [("UNAUTHENTICATED", None)]
    assert await _tried(nobody, id) == [[("UNAUTHENTICATED", None)]] * 3

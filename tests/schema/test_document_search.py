"""Documents by words, by nearly their name, and by what is in their metadata; best first."""

from itertools import product
from typing import Any

import pytest

from tests.graph import Client
from tests.schema.workspace import Workspace, gid, open_workspace

QUERY = """query ($filter: DocumentFilter, $first: Int, $after: String) {
    documents(first: $first, after: $after, filter: $filter) {
        totalCount nodes { filename } pageInfo { endCursor hasNextPage } } }"""

PAGE = """query (
    $filter: DocumentFilter, $first: Int, $after: String, $last: Int, $before: String
) { documents(first: $first, after: $after, last: $last, before: $before, filter: $filter) {
    nodes { filename }
    pageInfo { endCursor startCursor hasNextPage hasPreviousPage } } }"""


async def _names(client: Client, **filter: Any) -> list[str]:
    found = (await client.ask(QUERY, first=99, filter=filter))["documents"]
    names = [node["filename"] for node in found["nodes"]]
    assert found["totalCount"] == len(names)
    return names


BUDGET = "Quarterly-Budget_2026.xlsx"


@pytest.fixture
async def carl(acme: Workspace) -> Client:
    await acme.document("ada", filename=BUDGET, content="Costs of the zebra crossing")
    await acme.document("bob", filename="minutes.md", content="Costs were discussed: a crossing")
    await acme.document("bob", filename="Übersicht.txt", content="Straße, 50% & more", size=0)
    await acme.document("bob", filename="x.bin", content=None)
    await acme.by("ada").mutate("updateTenant", settings={"searchLanguage": "english"})
    return acme.by("carl")


@pytest.mark.parametrize(
    ("search", "names"),
    [
        # Words of the content, in any form; all of them, a phrase, one of several, all but one.
        ("zebra", [BUDGET]),
        ("ZEBRAS", [BUDGET]),
        ("cost", ["minutes.md", BUDGET]),
        ("zebra minutes", []),
        ('"zebra crossing"', [BUDGET]),
        ('"crossing zebra"', []),
        ("zebra or discussed", ["minutes.md", BUDGET]),
        ("costs -zebra", ["minutes.md"]),
        ("straße", ["Übersicht.txt"]),
        ("giraffe", []),
        # Words of the name, apart from each other.
        ("budget", [BUDGET]),
        ("2026 quarterly", [BUDGET]),
        ("xlsx", [BUDGET]),
        (BUDGET, [BUDGET]),
        ("minutes.md", ["minutes.md"]),
        ("übersicht", ["Übersicht.txt"]),
        # A name and its content together.
        ("budget crossing", [BUDGET]),
        # Typos in names; not in content.
        ("bugdet", [BUDGET]),
        ("quartely bugdet", [BUDGET]),
        ("quartely bugdet minuts", []),
        ("bugdet -quarterly", []),
        ('"bugdet"', []),
        ("minuts", ["minutes.md"]),
        ("ubersicht", ["Übersicht.txt"]),
        ("zerba", []),
        # Not a query language of anybody else.
        ("%", []),
        ("_____", []),
        ("' OR true --", []),
        ("q' OR true OR 'a", []),
        ("\\' OR true", []),
        ("zebra & | ! ( :*", [BUDGET]),
        ("$1", []),
        ("the", []),
    ],
)
async def test_search(carl: Client, search: str, names: list[str]) -> None:
    assert await _names(carl, search=search) == names


async def test_nothing_is_searched_for(carl: Client) -> None:
    for search in (None, "", " \n"):
        assert len(await _names(carl, search=search)) == 4


async def test_best_first_then_newest(acme: Workspace) -> None:
    contents = {
        "named in it.md": "budget of one",
        "later.md": "budget of one",
        "often.md": "budget budget budget",
        "bugdet.md": "nothing",
        "budget.md": "nothing",
        "budget of all.md": "a budget, a budget",
        "other.md": "nothing",
    }
    for filename, content in contents.items():
        await acme.document("bob", filename=filename, content=content)
    # Its name and its content; its name; often in it; nearly its name; once in it.
    best = ["budget of all.md", "budget.md", "often.md", "bugdet.md", "later.md", "named in it.md"]
    assert await _names(acme.by("carl"), search="budget") == best


async def test_pages_of_the_best(acme: Workspace) -> None:
    """Forwards and backwards, over ties, with another filter; a score is of one search."""
    for n in range(9):
        content = "zebra " * (1 + n % 3)
        await acme.document("bob", filename=f"{n}.md", content=content, tags=["a", str(n)])
    filter = {"search": "zebra", "tagsAll": ["a"], "tagsAny": list("12345678")}
    best = ["8.md", "5.md", "2.md", "7.md", "4.md", "1.md", "6.md", "3.md"]
    assert await _names(acme.by("carl"), **filter) == best
    forwards, backwards = ("first", "after", "endCursor"), ("last", "before", "startCursor")
    for size, (count, position, cursor) in product((1, 3, 8), (forwards, backwards)):
        pages: list[list[str]] = []
        at, more = None, True
        while more:
            page = await acme.by("carl").ask(PAGE, filter=filter, **{count: size, position: at})
            found = page["documents"]
            pages.append([node["filename"] for node in found["nodes"]])
            at = found["pageInfo"][cursor]
            more = found["pageInfo"]["hasNextPage" if count == "first" else "hasPreviousPage"]
        assert [name for page in pages[:: 1 if count == "first" else -1] for name in page] == best
    for other in ({"search": "zebras"}, {"search": None}):
        codes = await acme.by("carl").codes(PAGE, first=1, after=at, filter=filter | other)
        assert codes == ["BAD_INPUT"]


async def test_a_search_of_16_words(acme: Workspace) -> None:
    assert await _names(acme.by("carl"), search="x-" * 15 + "x") == []
    filter = {"search": "x-" * 16 + "x"}
    assert await acme.by("carl").codes(PAGE, first=1, filter=filter) == ["BAD_INPUT"]


async def test_the_language_of_the_workspace(acme: Workspace) -> None:
    id = await acme.document("bob", filename="a.md", content="the running dogs")
    times = "{ documents(first: 1) { nodes { updatedAt } } }"
    before = await acme.by("bob").ask(times)
    for language in ("english", "german", None, "simple"):
        await acme.by("ada").mutate("updateTenant", settings={"searchLanguage": language})
        found = ["a.md"] if language == "english" else []
        assert await _names(acme.by("bob"), search="dog run") == found
        assert await _names(acme.by("bob"), search="running") == ["a.md"]
    await acme.by("ada").mutate("updateTenant", settings={})
    assert await _names(acme.by("bob"), search="the") == ["a.md"]
    assert await acme.by("bob").ask(times) == before
    await acme.by("bob").mutate("updateDocument", id=gid("Document", id), filename="b.md")
    assert await acme.by("bob").ask(times) != before


async def test_the_language_of_another_workspace(acme: Workspace) -> None:
    globex = await open_workspace(acme.cast, acme.client, "globex")
    for workspace in (acme, globex):
        await workspace.document("bob", filename=f"{workspace.slug}.md", content="running dogs")
    await globex.by("ada").mutate("updateTenant", settings={"searchLanguage": "english"})
    assert await _names(acme.by("bob"), search="dog") == []
    assert await _names(globex.by("bob"), search="dog") == ["globex.md"]


async def test_search_follows_changes(acme: Workspace) -> None:
    bob = acme.by("bob")
    id = gid("Document", await acme.document("bob", filename="old.md", content="old words"))
    await bob.mutate("updateDocument", id=id, content="zebra")
    assert await _names(bob, search="words") == []
    assert await _names(bob, search="zebra") == ["old.md"]
    await bob.mutate("updateDocument", id=id, filename="giraffe.md")
    assert await _names(bob, search="old") == []
    assert await _names(bob, search="giraffe zebra") == ["giraffe.md"]


@pytest.mark.parametrize(
    ("part", "found"),
    [
        ({}, "4321"),
        ({"kind": "note"}, "21"),
        ({"kind": "note", "pages": {"first": 1}}, "1"),
        ({"pages": {}}, "21"),
        ({"pages": {"first": 2}}, "2"),
        ({"tags": ["a"]}, "3"),
        ({"tags": ["b", "a"]}, "3"),
        ({"tags": []}, "3"),
        ({"kind": None}, "3"),
        ({"kind": "Note"}, ""),
        ({"kind": "no"}, ""),
        ({"": 1}, ""),
        ({"first": 1}, ""),
    ],
)
async def test_metadata(acme: Workspace, part: dict[str, Any], found: str) -> None:
    values: list[dict[str, Any]] = [
        {"kind": "note", "pages": {"first": 1, "last": 9}},
        {"kind": "note", "pages": {"first": 2}},
        {"kind": None, "tags": ["a", "b"]},
        {},
    ]
    for n, metadata in enumerate(values, 1):
        await acme.document("bob", filename=str(n), metadata=metadata)
    assert "".join(await _names(acme.by("carl"), metadataContains=part)) == found


async def test_all_filters_together(acme: Workspace) -> None:
    same: dict[str, Any] = {
        "filename": "plan.md",
        "content": "zebra",
        "tags": ["x", "y", "z"],
        "metadata": {"a": 1, "b": 2},
        "content_type": "text/x",
    }
    others: list[dict[str, Any]] = [
        {"filename": "other.md", "content": "horse"},
        {"tags": ["x", "z"]},
        {"tags": ["y", "x"]},
        {"metadata": {"a": 1}},
        {"content_type": "text/y"},
    ]
    await acme.document("bob", **same)
    await acme.document("carl", **same)
    gone = await acme.document("bob", **same)
    await acme.delete("documents", gone)
    for other in others:
        await acme.document("bob", **same | other)
    filter: dict[str, Any] = {
        "search": "zebra",
        "tagsAll": ["y", "x"],
        "tagsAny": ["w", "z"],
        "metadataContains": {"b": 2},
        "contentType": "text/x",
        "ownerId": gid("User", acme.user("bob")),
    }
    assert await _names(acme.by("ada"), **filter) == ["plan.md"]
    assert await _names(acme.by("ada"), **filter, includeDeleted=True) == ["plan.md"] * 2
    assert await _names(acme.by("carl"), **filter, includeDeleted=True) == ["plan.md"]


async def test_pages_of_what_is_found(acme: Workspace) -> None:
    for n in range(7):
        await acme.document("bob", filename=f"{n}.md", content="zebra" if n % 2 else "horse")
    names: list[str] = []
    after = None
    for more in (True, True, False):
        page = (await acme.by("carl").ask(QUERY, first=1, after=after, filter={"search": "zebra"}))[
            "documents"
        ]
        assert page["totalCount"] == 3
        assert page["pageInfo"]["hasNextPage"] is more
        after = page["pageInfo"]["endCursor"]
        names += [node["filename"] for node in page["nodes"]]
    assert names == ["5.md", "3.md", "1.md"]


async def test_what_cannot_be_searched_for(acme: Workspace) -> None:
    filters: list[dict[str, Any]] = [
        {"search": "a\0"},
        {"search": "x" * 201},
        {"metadataContains": []},
        {"metadataContains": "x"},
        {"metadataContains": {"a": "\0"}},
        {"metadataContains": {"a": "x" * 20_000}},
    ]
    for filter in filters:
        answer = (await acme.by("bob").post(QUERY, first=1, filter=filter)).json()
        (error,) = answer["errors"]
        (field,) = filter
        assert error["extensions"] == {"code": "BAD_INPUT", "field": ["filter", field]}


async def test_of_one_workspace(acme: Workspace) -> None:
    globex = await acme.cast.tenant("globex")
    await acme.cast.member(globex, acme.user("bob"), "OWNER")
    for tenant in (acme.id, globex):
        await acme.cast.document(
            tenant, None, filename="zebra.md", tags=["x"], metadata={"a": 1}, content=str(tenant)
        )
    filters: list[dict[str, Any]] = [
        {"search": "zebra"},
        {"tagsAll": ["x"]},
        {"tagsAny": ["x"]},
        {"metadataContains": {"a": 1}},
    ]
    for slug in ("acme", "globex"):
        for filter in filters:
            assert await _names(acme.by("bob", slug), **filter) == ["zebra.md"]
    assert await _names(acme.by("bob"), search=str(globex)) == []

"""Search: who finds what, in which order, and what a snippet shows of hostile content."""

import base64
import json
from typing import Any
from uuid import UUID

import pytest

from tests.schema.talking import say
from tests.schema.workspace import Workspace, gid, open_workspace

FIND = """query ($words: String!, $first: Int, $after: String, $in: ID) {
    searchMessages(query: $words, first: $first, after: $after, conversationId: $in) {
        nodes { id content } edges { cursor score snippet node { id content } }
        pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }"""


async def _find(acme: Workspace, who: str, query: str, **more: Any) -> Any:
    values = {"first": 20, "words": query} | more
    return (await acme.by(who).ask(FIND, **values))["searchMessages"]


async def _found(acme: Workspace, who: str, query: str, **more: Any) -> list[str]:
    return [node["content"] for node in (await _find(acme, who, query, **more))["nodes"]]


async def _snippet(acme: Workspace, query: str) -> str:
    (edge,) = (await _find(acme, "bob", query))["edges"]
    snippet: str = edge["snippet"]
    return snippet


async def _refused(acme: Workspace, **values: Any) -> Any:
    answer = (await acme.by("bob").post(FIND, **({"first": 20, "words": "x"} | values))).json()
    (error,) = answer["errors"]
    return error["extensions"]["code"], error["extensions"].get("field")


@pytest.fixture
async def talk(acme: Workspace) -> UUID:
    return await acme.talk("bob", "carl")


async def _says(acme: Workspace, talk: UUID, *contents: str) -> list[UUID]:
    return [await acme.message(talk, "bob", content=content) for content in contents]


async def test_participants_and_admins_find(acme: Workspace, talk: UUID) -> None:
    await _says(acme, talk, "the blue whale")
    other = await acme.talk("carl")
    await acme.message(other, "carl", content="a blue moon")
    assert await _found(acme, "bob", "blue") == ["the blue whale"]
    for who in ("carl", "ada", "root"):
        assert sorted(await _found(acme, who, "blue")) == ["a blue moon", "the blue whale"]
    assert await acme.by("dora").codes(FIND, words="blue", first=1) == ["FORBIDDEN"]
    assert await acme.client.codes(FIND, words="blue", first=1) == ["UNAUTHENTICATED"]


async def test_what_is_found_comes_with_its_author(acme: Workspace, talk: UUID) -> None:
    for name in ("bob", "carl", None):
        await acme.message(talk, name, content="the blue whale")
    query = """query ($after: String) { searchMessages(query: "blue", first: 2, after: $after) {
        pageInfo { endCursor } edges { node { author { username } } } } }"""
    first = (await acme.by("bob").ask(query))["searchMessages"]
    after = first["pageInfo"]["endCursor"]
    second = (await acme.by("bob").ask(query, after=after))["searchMessages"]
    authors = [edge["node"]["author"] for page in (first, second) for edge in page["edges"]]
    assert authors == [None, {"username": "carl"}, {"username": "bob"}]


async def test_one_conversation_alone(acme: Workspace, talk: UUID) -> None:
    await _says(acme, talk, "blue whale")
    other = await acme.talk("carl")
    await acme.message(other, "carl", content="blue moon")
    for who in ("bob", "carl", "ada"):
        inside = {"in": gid("Conversation", talk)}
        assert await _found(acme, who, "blue", **inside) == ["blue whale"]
    assert await _found(acme, "bob", "blue", **{"in": gid("Conversation", other)}) == []


async def test_what_was_deleted_is_not_found(acme: Workspace, talk: UUID) -> None:
    _, gone = await _says(acme, talk, "blue whale", "blue moon")
    await acme.delete("messages", gone)
    assert await _found(acme, "ada", "blue") == ["blue whale"]
    await acme.delete("conversations", talk)
    for who in ("bob", "ada"):
        assert await _found(acme, who, "blue") == []
        assert await _found(acme, who, "bluee whale") == []


async def test_what_is_sent_and_edited_is_found_at_once(acme: Workspace, talk: UUID) -> None:
    sent = await say(acme, "bob", talk, "blue whale")
    assert await _found(acme, "bob", "whale") == ["blue whale"]
    await acme.by("bob").mutate("editMessage", id=sent["id"], content="green tortoise")
    assert await _found(acme, "bob", "whale") == []
    assert await _found(acme, "bob", "tortoise") == ["green tortoise"]


async def test_best_first_then_newest(acme: Workspace, talk: UUID) -> None:
    once, again, thrice = "apple is one of many words", "apple is 1 of many words", "apple " * 3
    await _says(acme, talk, once, thrice, again)
    page = await _find(acme, "bob", "apple")
    assert [node["content"] for node in page["nodes"]] == [thrice, again, once]
    scores = [edge["score"] for edge in page["edges"]]
    assert scores == sorted(scores, reverse=True)
    assert scores[1] == scores[2]
    assert [edge["node"] for edge in page["edges"]] == page["nodes"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("red apple", ["red apple", "apple, red"]),
        ('"red apple"', ["red apple"]),
        ("apple -red", ["green apple"]),
        ("green or pear", ["green apple", "pear"]),
        ("APPLE Green", ["green apple"]),
        ("grene aple", ["green apple"]),
        ("peer", ["pear"]),
        ("elephant", []),
        ("'", []),
        ("<", []),
        ("& | ! ( :*", []),
        ("-elephant -red -green -pear", []),
        ("List<String>", ["a List<String> of"]),
        ("string", ["a List<String> of"]),
        ("a:*b 'c' \\", []),
    ],
)
async def test_what_is_asked(acme: Workspace, talk: UUID, query: str, found: list[str]) -> None:
    said = ["red apple", "apple, red", "green apple", "pear", "a List<String> of"]
    await _says(acme, talk, *said)
    if query.startswith("-"):
        found = ["a List<String> of"]
    assert sorted(await _found(acme, "bob", query)) == sorted(found)


async def test_words_near_are_those_that_the_viewer_may_see(acme: Workspace, talk: UUID) -> None:
    await acme.message(await acme.talk("carl"), "carl", content="tortoise")
    await _says(acme, talk, "porpoise")
    assert await _found(acme, "bob", "tortoise") == ["porpoise"]  # as if that word were nowhere
    assert await _found(acme, "carl", "tortoise") == ["tortoise"]
    assert await _found(acme, "carl", "tortiose") == ["tortoise"]


async def test_the_words_are_marked(acme: Workspace, talk: UUID) -> None:
    await _says(acme, talk, "The blue whale & the Blue moon")
    expected = "The <mark>blue</mark> <mark>whale</mark> &amp; the <mark>Blue</mark> moon"
    assert await _snippet(acme, "blue whale") == expected
    assert await _snippet(acme, "bluee whael") == expected


async def test_a_snippet_of_much_is_short(acme: Workspace, talk: UUID) -> None:
    await _says(acme, talk, "before " * 5_000 + "needle" + " after" * 5_000)
    snippet = await _snippet(acme, "needle")
    assert len(snippet) < 500
    assert "<mark>needle</mark>" in snippet


@pytest.mark.parametrize(
    ("content", "snippet"),
    [
        ("<script>x</script> needle", "&lt;script&gt;x&lt;/script&gt; <mark>needle</mark>"),
        ("<mark>fake</mark> needle", "&lt;mark&gt;fake&lt;/mark&gt; <mark>needle</mark>"),
        ("\x02fake\x03 needle", "fake <mark>needle</mark>"),
        ("\x04b\x05 needle", "b <mark>needle</mark>"),
        ("&lt;b&gt; needle", "&amp;lt;b&amp;gt; <mark>needle</mark>"),
        ("\"'&<> needle", "&quot;&#x27;&amp;&lt;&gt; <mark>needle</mark>"),
        (
            "<img src=x onerror='needle'>",
            "&lt;img src=x onerror=&#x27;<mark>needle</mark>&#x27;&gt;",
        ),
        ("StartSel=<b> needle", "StartSel=&lt;b&gt; <mark>needle</mark>"),
    ],
)
async def test_nobody_writes_markup_into_a_snippet(
    acme: Workspace, talk: UUID, content: str, snippet: str
) -> None:
    await _says(acme, talk, content)
    assert await _snippet(acme, "needle") == snippet


async def test_pages_are_the_whole_list(acme: Workspace, talk: UUID) -> None:
    await _says(acme, talk, *("apple " * (1 + n % 4) + str(n) for n in range(23)))
    whole = (await _find(acme, "ada", "apple", first=100))["edges"]
    assert len(whole) == 23
    for size in (1, 5, 22, 23, 24):
        edges: list[Any] = []
        info = {"hasNextPage": True, "endCursor": None}
        while info["hasNextPage"]:
            page = await _find(acme, "bob", "apple", first=size, after=info["endCursor"])
            assert page["pageInfo"]["hasPreviousPage"] == bool(edges)
            edges, info = edges + page["edges"], page["pageInfo"]
        assert edges == whole


REPEATED = """
    INSERT INTO messages (tenant_id, conversation_id, sequence, version, role, content)
    SELECT $1, $2, n, n, 'USER', repeat('{said} ', {times}) FROM generate_series(1, 100) AS n
"""


@pytest.mark.parametrize(
    ("said", "query"),
    [
        ("a", "a"),
        ("a", "a " * 16),
        ("a", '"' + "a " * 16 + '"'),
        ("a b c d e f g h i j k l m n o p", "a b c d e f g h i j k l m n o p"),
    ],
)
async def test_no_content_makes_a_search_too_long(
    acme: Workspace, talk: UUID, said: str, query: str
) -> None:
    """It would end as a fault, after seconds of a processor's time."""
    sql = REPEATED.format(said=said, times=96_000 // len(said + " "))
    await acme.cast.connection.execute(sql, acme.id, talk)
    assert await _found(acme, "ada", query, first=100)


async def test_words_near_are_those_of_newer_messages(acme: Workspace, talk: UUID) -> None:
    await _says(acme, talk, "tortoise")
    assert await _found(acme, "bob", "tortiose") == ["tortoise"]
    await _says(acme, talk, *(" ".join(f"{k}{n}" for n in range(9_000)) for k in "uvwxyz"))
    assert await _found(acme, "bob", "tortiose") == []


async def test_a_query_of_16_words(acme: Workspace, talk: UUID) -> None:
    assert await _found(acme, "bob", "x-" * 15 + "x") == []
    assert await _refused(acme, words="x-" * 16 + "x") == ("BAD_INPUT", ["query"])


@pytest.mark.parametrize("query", ["", " \n", "x" * 201, "a\0b", "\ud800"])
async def test_queries_that_are_refused(acme: Workspace, query: str) -> None:
    assert await _refused(acme, words=query) == ("BAD_INPUT", ["query"])


async def test_a_query_of_200_characters(acme: Workspace) -> None:
    assert await _found(acme, "bob", " " + "ü" * 200 + " ") == []


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"first": None}, "first"),
        ({"first": 0}, "first"),
        ({"first": 101}, "first"),
        ({"after": "x"}, "after"),
        ({"in": "x"}, "conversationId"),
        ({"in": gid("Message", UUID(int=1))}, "conversationId"),
    ],
)
async def test_arguments_that_are_refused(
    acme: Workspace, values: dict[str, Any], field: str
) -> None:
    assert await _refused(acme, **values) == ("BAD_INPUT", [field])


async def test_cursors_are_of_one_search(acme: Workspace, talk: UUID) -> None:
    await _says(acme, talk, "red apple", "red pear")
    cursor = (await _find(acme, "bob", "red"))["pageInfo"]["startCursor"]
    assert len(await _found(acme, "bob", " red ", after=cursor)) == 1
    for others in ({"words": "apple"}, {"words": "red", "in": gid("Conversation", talk)}):
        assert await _refused(acme, after=cursor, **others) == ("BAD_INPUT", ["after"])
    name, _, id = json.loads(base64.urlsafe_b64decode(cursor))
    for score in ("1", None, True, 1, float("nan"), float("inf")):
        forged = base64.urlsafe_b64encode(json.dumps([name, score, id]).encode()).decode()
        assert await _refused(acme, after=forged, words="red") == ("BAD_INPUT", ["after"])


async def test_the_language_of_the_workspace(acme: Workspace, talk: UUID) -> None:
    await _says(acme, talk, "the running dogs")
    assert await _found(acme, "bob", "jogs") == ["the running dogs"]  # near
    assert await _found(acme, "bob", "dog run") == []
    for language in ("english", "german", None, "simple"):
        await acme.by("ada").mutate("updateTenant", settings={"searchLanguage": language})
        found = await _found(acme, "bob", "dog run")
        assert found == (["the running dogs"] if language == "english" else [])
        assert await _found(acme, "bob", "running") == ["the running dogs"]


async def test_another_workspace_is_never_searched(acme: Workspace, talk: UUID) -> None:
    await _says(acme, talk, "red apple")
    globex = await open_workspace(acme.cast, acme.client, "globex")
    await globex.message(await globex.talk("bob"), "bob", content="red pear")
    for who in ("bob", "ada"):
        assert await _found(acme, who, "red") == ["red apple"]
        assert await _found(globex, who, "red") == ["red pear"]
        assert await _found(globex, who, "red", **{"in": gid("Conversation", talk)}) == []
        assert await _found(globex, who, "aple") == []


async def test_nodes_count_by_the_page(acme: Workspace) -> None:
    inside = "conversation { messages(first: 100) { nodes { usedDocuments { id } } } }"
    query = f'{{ searchMessages(query: "x", first: %d) {{ edges {{ node {{ {inside} }} }} }} }}'
    assert await acme.by("bob").codes(query % 1) == []
    assert await acme.by("bob").codes(query % 100) == ["BAD_INPUT"]

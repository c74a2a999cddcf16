"""People: of the workspace, and with what the viewer may know of them."""

from datetime import UTC, datetime

import pytest

from tests.schema.workspace import MISSING, Workspace, gid

AT = datetime(2026, 2, 3, 4, 5, 6, 789000, tzinfo=UTC)


async def test_every_field(acme: Workspace) -> None:
    dan = await acme.cast.person(
        "dan",
        acme.id,
        full_name="Dan Danube",
        is_superuser=True,
        last_login_at=AT,
        created_at=AT,
        updated_at=AT,
    )
    membership = await acme.cast.member(acme.id, dan.id)
    talk = await acme.talk("dan", "bob")
    data = await acme.by("dan").ask(
        """query ($id: ID!) { user(by: {id: $id}) {
            __typename id username fullName email isActive isSuperuser lastLoginAt createdAt
            updatedAt membership { id } conversations(first: 5) { totalCount nodes { id } } } }""",
        id=gid("User", dan.id),
    )
    assert data["user"] == {
        "__typename": "User",
        "id": gid("User", dan.id),
        "username": "dan",
        "fullName": "Dan Danube",
        "email": "dan@example.com",
        "isActive": True,
        "isSuperuser": True,
        "lastLoginAt": "2026-02-03T04:05:06.789000+00:00",
        "createdAt": "2026-02-03T04:05:06.789000+00:00",
        "updatedAt": "2026-02-03T04:05:06.789000+00:00",
        "membership": {"id": gid("Membership", membership)},
        "conversations": {"totalCount": 1, "nodes": [{"id": gid("Conversation", talk)}]},
    }


async def test_null_where_nothing_is_known(acme: Workspace) -> None:
    await acme.cast.connection.execute(
        "UPDATE users SET email = NULL, is_active = username = 'ada'"
    )
    query = "{ user(by: {username: %s}) { fullName email isActive lastLoginAt } }"
    nothing = {"fullName": None, "email": None, "lastLoginAt": None}
    answer = await acme.by("ada").ask(query % '"bob"')
    assert answer["user"] == nothing | {"isActive": False}


# The rule for e-mail and last sign-in: oneself and admins; of nobody who left.
@pytest.mark.parametrize(
    ("viewer", "seen"),
    [
        ("ada", {"ada", "root", "bob", "carl"}),
        ("root", {"ada", "root", "bob", "carl"}),
        ("bob", {"bob"}),
        ("carl", {"carl"}),
    ],
)
async def test_private_fields(acme: Workspace, viewer: str, seen: set[str]) -> None:
    await acme.cast.connection.execute("UPDATE users SET last_login_at = $1", AT)
    talk = await acme.talk("ada", "root", "bob", "carl", "dora")
    for name in ("ada", "root", "bob", "carl", "dora"):
        await acme.message(talk, name)
    person = "{ username email lastLoginAt }"
    data = await acme.by(viewer).ask(
        f"""query ($id: ID!) {{
            users(first: 100) {{ nodes {person} }}
            tenant {{ members(first: 100) {{ nodes {{ user {person} }} }} }}
            left: user(by: {{username: "dora"}}) {person}
            conversation(by: {{id: $id}}) {{
                owner {person} participants(first: 100) {{ nodes {person} }}
                messages(first: 100) {{ nodes {{ author {person} }} }} }} }}""",
        id=gid("Conversation", talk),
    )
    people = [
        *data["users"]["nodes"],
        *(node["user"] for node in data["tenant"]["members"]["nodes"]),
        data["left"],
        data["conversation"]["owner"],
        *data["conversation"]["participants"]["nodes"],
        *(node["author"] for node in data["conversation"]["messages"]["nodes"]),
    ]
    for one in people:
        name = one["username"]
        may_see = (f"{name}@example.com", AT.isoformat()) if name in seen else (None, None)
        assert (one["email"], one["lastLoginAt"]) == may_see, one
    assert len(people) == 4 + 4 + 1 + 1 + 5 + 5


async def test_users_are_the_active_members(acme: Workspace) -> None:
    await acme.cast.person("stranger")
    query = "{ users(first: 100) { totalCount nodes { username } } }"
    for viewer in ("ada", "bob"):
        users = (await acme.by(viewer).ask(query))["users"]
        assert [node["username"] for node in users["nodes"]] == ["ada", "bob", "carl", "root"]
        assert users["totalCount"] == 4


async def test_who_left_is_found_by_name_and_says_so(acme: Workspace) -> None:
    query = "query ($by: UserBy!) { user(by: $by) { username membership { isActive } } }"
    for by in ({"username": "dora"}, {"id": gid("User", acme.user("dora"))}):
        data = await acme.by("bob").ask(query, by=by)
        assert data["user"] == {"username": "dora", "membership": {"isActive": False}}


async def _found(acme: Workspace, viewer: str, text: str) -> list[str]:
    query = (
        "query ($s: String!) { users(first: 100, search: $s) { totalCount nodes { username } } }"
    )
    users = (await acme.by(viewer).ask(query, s=text))["users"]
    names = [node["username"] for node in users["nodes"]]
    assert users["totalCount"] == len(names)
    return names


async def test_search_finds_parts_of_names(acme: Workspace) -> None:
    await acme.cast.connection.execute(
        "UPDATE users SET full_name = 'Robert Ö''Neill' WHERE username = 'bob'"
    )
    for text in ("bo", "OB", "robert", "ö'n", "Ö'NEILL"):
        assert await _found(acme, "carl", text) == ["bob"], text
    assert await _found(acme, "carl", "nobody") == []
    assert await _found(acme, "carl", "dora") == []
    assert len(await _found(acme, "carl", "")) == 4


async def test_search_finds_no_email_letter_by_letter(acme: Workspace) -> None:
    await acme.cast.connection.execute("UPDATE users SET email = 'x.' || username || '@hidden.org'")
    for text in ("hidden", "@", "x.", "x.bob@hidden.org"):
        assert await _found(acme, "carl", text) == [], text
        assert await _found(acme, "root", text) != [], text


async def test_search_takes_wildcards_as_they_stand(acme: Workspace) -> None:
    await acme.cast.connection.execute(
        r"UPDATE users SET full_name = '100%_\o/' WHERE username = 'bob'"
    )
    for text in ("%", "_", "\\", "0%_", r"_\o/", r"\O"):
        assert await _found(acme, "carl", text) == ["bob"], text
    for text in ("b_b", "b%b", "%%%", "__", r"\%", r"\\"):
        assert await _found(acme, "carl", text) == [], text


async def test_username_is_taken_without_case_and_space(acme: Workspace) -> None:
    query = "query ($name: String!) { user(by: {username: $name}) { username } }"
    for name in ("bob", "BOB", "  Bob "):
        assert (await acme.by("ada").ask(query, name=name))["user"] == {"username": "bob"}
    for name in ("", " ", "bob@example.com", "b%b", "nobody"):
        assert (await acme.by("ada").ask(query, name=name))["user"] is None


async def test_by_takes_exactly_one_key(acme: Workspace) -> None:
    for by in ("{}", '{id: "x", username: "bob"}', "{username: null}", "null"):
        codes = await acme.by("ada").codes(f"{{ user(by: {by}) {{ id }} }}")
        assert codes == ["GRAPHQL_VALIDATION_FAILED"], by


async def test_nobody_by_an_id_of_another_kind(acme: Workspace) -> None:
    talk = await acme.talk("bob")
    query = "query ($id: ID!) { user(by: {id: $id}) { id } }"
    for id in (
        gid("Conversation", talk),
        gid("User", MISSING),
        gid("Membership", acme.user("bob")),
        str(acme.user("bob")),
        "",
    ):
        assert (await acme.by("bob").ask(query, id=id))["user"] is None, id


async def test_conversations_are_those_that_both_see(acme: Workspace) -> None:
    both = await acme.talk("bob", "carl")
    alone = await acme.talk("bob")
    deleted = await acme.talk("bob", "carl")
    await acme.delete("conversations", deleted)
    query = """{ user(by: {username: "bob"}) {
        conversations(first: 10) { totalCount nodes { id } } } }"""
    for viewer, seen in {
        "bob": [alone, both],
        "carl": [both],
        "root": [alone, both],
    }.items():
        found = (await acme.by(viewer).ask(query))["user"]["conversations"]
        assert found == {
            "totalCount": len(seen),
            "nodes": [{"id": gid("Conversation", id)} for id in seen],
        }, viewer

"""Who is in a workspace, and as what."""

import asyncio
from random import Random
from typing import Any

import pytest

from tests.graph import Client
from tests.schema.signing_in import HASH, bearing, give_password, sign_in
from tests.schema.workspace import MISSING, Workspace, gid

MEMBER = "membership { role isActive user { username } }"
ROLES = "{ tenant { members(first: 99) { nodes { role user { username } } } } }"
EVENTS = """{ auditEvents(first: 50) { nodes { action details targetId
    actor { username } } } }"""


async def _roles(acme: Workspace) -> dict[str, str]:
    """Of the active members."""
    rows = await acme.cast.connection.fetch(
        "SELECT username, role FROM memberships m JOIN users u ON u.id = m.user_id"
        " WHERE m.tenant_id = $1 AND m.is_active",
        acme.id,
    )
    return {row["username"]: row["role"] for row in rows}


def _id(acme: Workspace, name: str) -> str:
    return gid("User", acme.user(name))


async def test_people_come_and_go_and_come_back(acme: Workspace) -> None:
    eve = await acme.cast.person("eve")
    at_acme = acme.client.signed_in(eve, "acme")
    assert await at_acme.codes("{ tenant { slug } }") == ["FORBIDDEN"]
    root, user = acme.by("root"), gid("User", eve.id)
    added = await root.mutate("addMember", MEMBER, username=" EVE ")
    expected = {"role": "MEMBER", "isActive": True, "user": {"username": "eve"}}
    assert added == {"errors": [], "membership": expected}
    assert await at_acme.ask("{ tenant { slug } }") == {"tenant": {"slug": "acme"}}

    changed = await root.mutate("changeMemberRole", MEMBER, userId=user, role="ADMIN")
    assert changed["membership"] == expected | {"role": "ADMIN"}
    assert await at_acme.codes("{ auditEvents(first: 1) { totalCount } }") == []

    removed = await root.mutate("removeMember", MEMBER, userId=user)
    assert removed["membership"] == expected | {"role": "ADMIN", "isActive": False}
    assert await at_acme.codes("{ tenant { slug } }") == ["FORBIDDEN"]
    assert "eve" not in str(await root.ask(ROLES))

    back = await root.mutate("addMember", MEMBER, username="eve", role="ADMIN")
    assert back["membership"] == expected | {"role": "ADMIN"}
    assert await at_acme.ask("{ tenant { slug } }") == {"tenant": {"slug": "acme"}}

    events = (await root.ask(EVENTS))["auditEvents"]["nodes"]
    assert [(event["action"], event["details"]) for event in reversed(events)] == [
        ("member.added", {"role": "MEMBER"}),
        ("member.role_changed", {"from": "MEMBER", "to": "ADMIN"}),
        ("member.removed", {"role": "ADMIN"}),
        ("member.added", {"role": "ADMIN"}),
    ]
    assert {(event["actor"]["username"], event["targetId"]) for event in events} == {("root", user)}


@pytest.mark.parametrize(
    ("who", "mutation", "whom", "role", "errors"),
    [
        # Nobody gives a role above their own.
        ("root", "addMember", "eve", "OWNER", [("FORBIDDEN", None)]),
        ("root", "changeMemberRole", "bob", "OWNER", [("FORBIDDEN", None)]),
        ("root", "changeMemberRole", "root", "OWNER", [("FORBIDDEN", None)]),
        ("bob", "addMember", "eve", "MEMBER", [("FORBIDDEN", None)]),
        ("bob", "changeMemberRole", "bob", "ADMIN", [("FORBIDDEN", None)]),
        ("bob", "changeMemberRole", "carl", "MEMBER", [("FORBIDDEN", None)]),
        ("ada", "addMember", "eve", "OWNER", []),
        ("ada", "changeMemberRole", "bob", "OWNER", []),
        ("root", "addMember", "eve", "ADMIN", []),
        ("root", "changeMemberRole", "bob", "ADMIN", []),
        ("root", "changeMemberRole", "root", "MEMBER", []),
        # Nor touches who is above them.
        ("root", "changeMemberRole", "ada", "MEMBER", [("FORBIDDEN", None)]),
        ("root", "removeMember", "ada", None, [("FORBIDDEN", None)]),
        ("bob", "removeMember", "carl", None, [("FORBIDDEN", None)]),
        ("bob", "removeMember", "ada", None, [("FORBIDDEN", None)]),
        ("ada", "removeMember", "root", None, []),
        ("root", "removeMember", "carl", None, []),
        # Anybody may leave; a workspace keeps an owner.
        ("bob", "removeMember", "bob", None, []),
        ("root", "removeMember", "root", None, []),
        ("ada", "removeMember", "ada", None, [("CONFLICT", ["userId"])]),
        ("ada", "changeMemberRole", "ada", "ADMIN", [("CONFLICT", ["userId"])]),
        ("ada", "changeMemberRole", "ada", "OWNER", []),
        # Who is not there.
        ("ada", "addMember", "nobody", "MEMBER", [("NOT_FOUND", ["username"])]),
        ("ada", "addMember", "eve@example.com", "MEMBER", [("NOT_FOUND", ["username"])]),
        ("ada", "addMember", "gone", "MEMBER", [("NOT_FOUND", ["username"])]),
        ("ada", "addMember", "", "MEMBER", [("NOT_FOUND", ["username"])]),
        ("ada", "addMember", "a\0", "MEMBER", [("BAD_INPUT", ["username"])]),
        ("ada", "addMember", "bob", "MEMBER", [("CONFLICT", ["username"])]),
        ("ada", "addMember", "bob", "ADMIN", [("CONFLICT", ["username"])]),
        ("ada", "changeMemberRole", "dora", "ADMIN", [("NOT_FOUND", ["userId"])]),
        ("ada", "changeMemberRole", "eve", "ADMIN", [("NOT_FOUND", ["userId"])]),
        ("ada", "removeMember", "dora", None, [("NOT_FOUND", ["userId"])]),
        ("ada", "removeMember", "eve", None, [("NOT_FOUND", ["userId"])]),
        # Outsiders, those who left, and nobody.
        ("eve", "addMember", "eve", "MEMBER", [("FORBIDDEN", None)]),
        ("dora", "addMember", "dora", "MEMBER", [("FORBIDDEN", None)]),
        ("dora", "removeMember", "bob", None, [("FORBIDDEN", None)]),
        ("dora", "removeMember", "dora", None, [("FORBIDDEN", None)]),
    ],
)
async def test_who_may_do_what(
    acme: Workspace,
    who: str,
    mutation: str,
    whom: str,
    role: str | None,
    errors: list[tuple[str, list[str] | None]],
) -> None:
    await acme.cast.person("eve")
    await acme.cast.person("gone", is_active=False)
    before = await _roles(acme)
    target = {"username": whom} if mutation == "addMember" else {"userId": _id(acme, whom)}
    given = target | ({"role": role} if role else {})
    assert await acme.by(who).refused(mutation, **given) == errors
    expected = dict(before)
    if not errors and role:
        expected[whom] = role
    elif not errors:
        del expected[whom]
    assert await _roles(acme) == expected
    recorded = await acme.cast.connection.fetchval("SELECT count(*) FROM audit_events")
    assert recorded == (expected != before)


async def test_ids_that_name_nobody(acme: Workspace) -> None:
    for id, code in {
        gid("User", MISSING): "NOT_FOUND",
        gid("Membership", acme.memberships["bob"]): "BAD_INPUT",
        str(acme.user("bob")): "BAD_INPUT",
        "": "BAD_INPUT",
        "\0": "BAD_INPUT",
    }.items():
        for mutation, more in (("removeMember", {}), ("changeMemberRole", {"role": "ADMIN"})):
            refused = await acme.by("ada").refused(mutation, userId=id, **more)
            assert refused == [(code, ["userId"])], id


async def test_nobody_signed_in(acme: Workspace) -> None:
    for mutation, given in {
        "addMember": {"username": "bob"},
        "changeMemberRole": {"userId": _id(acme, "bob"), "role": "ADMIN"},
        "removeMember": {"userId": _id(acme, "bob")},
    }.items():
        assert await acme.client.refused(mutation, **given) == [("UNAUTHENTICATED", None)]


async def test_another_workspace_is_out_of_reach(acme: Workspace) -> None:
    """ada owns both: what she does in one, happens in that one."""
    globex = await acme.cast.tenant("globex")
    await acme.cast.member(globex, acme.user("ada"), "OWNER")
    client = acme.by("ada", "globex")
    for mutation in ("removeMember", "changeMemberRole"):
        more = {"role": "ADMIN"} if mutation == "changeMemberRole" else {}
        foreign = await client.mutate(mutation, userId=_id(acme, "bob"), **more)
        missing = await client.mutate(mutation, userId=gid("User", MISSING), **more)
        assert foreign == missing
    added = await client.mutate("addMember", MEMBER, username="bob", role="ADMIN")
    assert added["membership"]["role"] == "ADMIN"
    assert (await _roles(acme))["bob"] == "MEMBER"


async def test_owners_who_demote_each_other_leave_one(acme: Workspace) -> None:
    """Whatever the order, and however they do it."""
    random = Random(7)
    people = ["ada", "root", "bob", "carl"]
    for _ in range(15):
        await acme.cast.connection.execute(
            "UPDATE memberships SET role = 'OWNER', is_active = true WHERE user_id = ANY($1)",
            [acme.user(name) for name in people],
        )
        calls = []
        for who in people:
            for whom in people:
                id = _id(acme, whom)
                calls.append(acme.by(who).mutate("removeMember", userId=id))
                calls.append(acme.by(who).mutate("changeMemberRole", userId=id, role="MEMBER"))
        random.shuffle(calls)
        await asyncio.gather(*calls)
        assert "OWNER" in (await _roles(acme)).values()


async def test_who_was_demoted_meanwhile_does_nothing_more(acme: Workspace) -> None:
    """The request came in as an admin's, and waits; what counts is what they are when it writes."""
    await acme.cast.person("eve")
    transaction = acme.cast.connection.transaction()
    await transaction.start()
    await acme.cast.connection.execute("SELECT FROM tenants WHERE id = $1 FOR UPDATE", acme.id)
    waiting: dict[str, asyncio.Task[Any]] = {
        mutation: asyncio.create_task(acme.by("root").refused(mutation, **given))
        for mutation, given in {
            "addMember": {"username": "eve", "role": "ADMIN"},
            "changeMemberRole": {"userId": _id(acme, "bob"), "role": "ADMIN"},
            "removeMember": {"userId": _id(acme, "bob")},
            "updateTenant": {"name": "Mine"},
        }.items()
    }
    await asyncio.sleep(0.3)
    assert not any(task.done() for task in waiting.values())
    await acme.cast.connection.execute(
        "UPDATE memberships SET role = 'MEMBER' WHERE user_id = $1", acme.user("root")
    )
    await transaction.commit()
    for mutation, task in waiting.items():
        assert await task == [("FORBIDDEN", None)], mutation


async def test_the_same_person_added_at_once_is_added_once(acme: Workspace) -> None:
    await acme.cast.person("eve")
    add = [acme.by(who).refused("addMember", username="eve") for who in ("ada", "root") * 4]
    refused = await asyncio.gather(*add)
    assert sorted(map(len, refused)) == [0] + [1] * 7
    assert await acme.cast.connection.fetchval("SELECT count(*) FROM audit_events") == 1


async def test_what_one_has_left_is_closed_in_the_same_operation(acme: Workspace) -> None:
    data = await acme.by("bob").ask(
        """mutation ($id: ID!) {
            left: removeMember(input: {userId: $id}) { errors { code } membership { isActive } }
            back: addMember(input: {username: "bob"}) { errors { code } }
            here: updateProfile(input: {fullName: "Bob"}) { errors { code }
                user { membership { role } } }
        }""",
        id=_id(acme, "bob"),
    )
    assert data["left"] == {"errors": [], "membership": {"isActive": False}}
    assert data["back"] == {"errors": [{"code": "FORBIDDEN"}]}
    assert data["here"] == {"errors": [], "user": {"membership": None}}


async def test_who_was_added_shows_no_more_than_a_name_before_they_come_in(
    acme: Workspace,
) -> None:
    """Anybody may make a workspace, and add whom they like to it."""
    await acme.cast.connection.execute("UPDATE users SET last_login_at = now()")
    shown = {"email": "bob@example.com", "lastLoginAt": "a time"}
    fields = "user { email lastLoginAt }"
    await acme.by("carl").mutate("createTenant", name="Trap", slug="trap")
    trap = acme.by("carl", "trap")
    query = '{ user(by: {username: "bob"}) { email lastLoginAt } }'

    async def seen() -> Any:
        user = (await trap.ask(query))["user"]
        return user | {"lastLoginAt": user["lastLoginAt"] and "a time"}

    for _ in range(2):
        added = await trap.mutate("addMember", f"membership {{ {fields} }}", username="bob")
        assert added["membership"]["user"] == {"email": None, "lastLoginAt": None}
        assert await seen() == {"email": None, "lastLoginAt": None}
        found = await trap.ask('{ users(first: 9, search: "bob@ex") { totalCount } }')
        assert found == {"users": {"totalCount": 0}}
        assert await acme.by("bob").ask("{ tenant { slug } }") == {"tenant": {"slug": "acme"}}
        assert await seen() == {"email": None, "lastLoginAt": None}
        here = await acme.by("bob", "trap").ask("{ tenant { slug } }")
        assert here == {"tenant": {"slug": "trap"}}
        assert await seen() == shown
        await trap.mutate("removeMember", userId=_id(acme, "bob"))
        assert await seen() == {"email": None, "lastLoginAt": None}


async def test_who_was_added_signs_in_where_they_were(acme: Workspace) -> None:
    """And what is recorded of it stays there. Who is nowhere else, chooses."""
    await give_password(acme, "bob")
    await acme.cast.person("eve", password_hash=HASH)
    await acme.by("carl").mutate("createTenant", name="Trap", slug="trap")
    trap = acme.by("carl", "trap")
    await acme.cast.connection.execute("UPDATE memberships SET created_at = now()")
    for name in ("bob", "eve"):
        await trap.mutate("addMember", username=name)
        await acme.cast.connection.execute(
            "UPDATE memberships SET created_at = '2000-01-01' WHERE entered_at IS NULL"
        )
        assert await acme.client.refused("signIn", username=name, password="wrong")
    assert "sign_in" not in str(await trap.ask(EVENTS))
    bob = bearing(acme.client, await sign_in(acme.client, "bob"))
    assert await bob.ask("{ tenant { slug } }") == {"tenant": {"slug": "acme"}}
    eve = bearing(acme.client, await sign_in(acme.client, "eve"))
    assert await eve.codes("{ tenant { slug } }") == ["FORBIDDEN"]
    choice = await eve.ask("{ viewer { memberships { tenant { slug } } } }")
    assert choice["viewer"]["memberships"] == [{"tenant": {"slug": "trap"}}]
    assert "eve@example.com" not in str(await trap.ask("{ users(first: 9) { nodes { email } } }"))
    there = Client(eve.http, dict(eve.headers) | {"X-Tenant": "trap"})
    for client in (there, eve):  # to have named it once is enough
        assert await client.ask("{ tenant { slug } }") == {"tenant": {"slug": "trap"}}
    assert "eve@example.com" in str(await trap.ask("{ users(first: 9) { nodes { email } } }"))

"""Who gets into a workspace, as what."""

import pytest

from ops.tinydb.file import CannotImport
from tests.ops.chat_file import HASH, Workbench, chat, conversation, document, user

ROLES = """
SELECT username, role FROM memberships m JOIN users u ON u.id = m.user_id
  JOIN tenants t ON t.id = m.tenant_id WHERE slug = $1 ORDER BY username
"""


async def roles(bench: Workbench, tenant: str = "acme") -> dict[str, str]:
    return {row["username"]: row["role"] for row in await bench.rows(ROLES, tenant)}


async def test_the_first_valid_user_owns_a_new_workspace(bench: Workbench) -> None:
    await bench.bring({"users": [None, {"username": ""}, user("bob"), user("ann")]})
    assert await roles(bench) == {"ann": "MEMBER", "bob": "OWNER"}


async def test_the_named_owner_owns_it(bench: Workbench) -> None:
    await bench.bring({"users": [user("ann"), user(" Bob")]}, owner=" BOB ")
    assert await roles(bench) == {"ann": "MEMBER", "bob": "OWNER"}


async def test_a_second_run_gives_nobody_another_role(bench: Workbench) -> None:
    await bench.bring({"users": [user("ann"), user("bob")]})
    before = await bench.everything()
    summary = await bench.bring({"users": [user("bob"), user("ann")]}, owner="bob")
    assert not summary.changed
    assert "'bob' was a member before and keeps that role: no new owner" in list(summary.lines())
    assert await bench.everything() == before
    assert (await bench.bring({"users": [user("bob")]}, owner="ann")).owner_refused is None


async def test_a_later_file_takes_no_workspace_over(bench: Workbench) -> None:
    await bench.bring({"users": [user("ann")]})
    await bench.bring({"users": [user("bob")]})
    await bench.bring({"users": [user("cleo")]}, owner="cleo")
    assert await roles(bench) == {"ann": "OWNER", "bob": "MEMBER", "cleo": "OWNER"}


async def test_who_left_stays_away(bench: Workbench) -> None:
    await bench.bring(chat())
    await bench.rows("UPDATE memberships SET is_active = false WHERE role = 'MEMBER' RETURNING 1")
    before = await bench.everything()
    await bench.bring(chat())
    assert await bench.everything() == before


@pytest.mark.parametrize("owner", ["nobody", "", "a\0b", "\udcff"])
async def test_an_owner_whom_nobody_knows(bench: Workbench, owner: str) -> None:
    with pytest.raises(CannotImport, match="--owner"):
        await bench.bring(chat(), owner=owner)
    assert await bench.rows("SELECT FROM tenants") == []
    assert await bench.rows("SELECT FROM users") == []
    await bench.bring(chat())
    with pytest.raises(CannotImport, match="--owner"):
        await bench.bring(chat(), owner=owner)


async def test_an_owner_of_another_workspace_is_nobody_here(bench: Workbench) -> None:
    await bench.bring({"users": [user("ann")]}, "acme")
    with pytest.raises(CannotImport, match="--owner 'ann'"):
        await bench.bring({"users": [user("bob")]}, "umbrella", owner="ann")


async def test_nobody_to_own_a_new_workspace(bench: Workbench) -> None:
    with pytest.raises(CannotImport, match="belong to nobody"):
        await bench.bring({"users": [None], "documents": [document()]})
    assert await bench.rows("SELECT FROM tenants") == []


@pytest.mark.parametrize(
    "slug",
    [
        *("", "ACME", "-a", "a-", "a b", "a_b", "é", "a" * 64, "a\n", "a\0b", "\udcff"),
        *("0190a5c0-0000-7000-8000-000000000000", "0190-a5c0-0000-7000-8000-0000-0000-0000"),
    ],
)
async def test_slugs_that_name_no_workspace(bench: Workbench, slug: str) -> None:
    with pytest.raises(CannotImport) as caught:
        await bench.bring(chat(), slug)
    assert "\n" not in str(caught.value)
    assert await bench.rows("SELECT FROM users") == []


@pytest.mark.parametrize(
    ("slug", "name"), [("a", "A"), ("big-blue", "Big Blue"), ("a--b-2", "A B 2"), ("a" * 63, None)]
)
async def test_names_of_new_workspaces(bench: Workbench, slug: str, name: str | None) -> None:
    await bench.bring(chat(), slug)
    assert await bench.rows("SELECT name FROM tenants") == [{"name": name or slug.title()}]


async def test_an_account_is_never_touched(bench: Workbench) -> None:
    await bench.bring({"users": [user("ann", email="ann@example.com"), user("bob")]}, "acme")
    before = await bench.rows("SELECT u.*, xmin::text FROM users u")
    foe = HASH.replace("salt", "theirs")
    summary = await bench.bring(
        {"users": [user("Ann", email="foe@example.com", password_hash=foe, is_active=False)]},
        "umbrella",
    )
    assert summary.imported["users"] == 1
    assert await bench.rows("SELECT u.*, xmin::text FROM users u") == before
    assert await roles(bench, "umbrella") == {"ann": "OWNER"}


async def test_an_email_stays_with_whom_it_was_first(bench: Workbench) -> None:
    await bench.bring({"users": [user("ann", email="ann@example.com")]}, "acme")
    summary = await bench.bring(
        {
            "users": [
                user("bob", email=" ANN@example.com"),
                user("cleo", email="cleo@example.com"),
                user("dan", email="Cleo@example.com"),
            ]
        },
        "umbrella",
    )
    assert summary.adjusted == {"users.email": 2}
    assert [line["row"]["username"] for line in bench.reported()] == ["bob", "dan"]
    assert await bench.rows("SELECT username, email FROM users ORDER BY username") == [
        {"username": "ann", "email": "ann@example.com"},
        {"username": "bob", "email": None},
        {"username": "cleo", "email": "cleo@example.com"},
        {"username": "dan", "email": None},
    ]


async def test_users_without_password_are_counted_by_their_accounts(bench: Workbench) -> None:
    tables = {"users": [user("ann", password_hash=None), user("bob", password_hash="plain")]}
    assert (await bench.bring(tables)).users_without_password == 2
    rows = await bench.rows("SELECT password_hash FROM users")
    assert rows == [{"password_hash": None}] * 2
    await bench.rows("UPDATE users SET password_hash = 'x' WHERE username = 'ann' RETURNING 1")
    assert (await bench.bring(tables)).users_without_password == 1


async def test_owners_in_any_case_and_space(bench: Workbench) -> None:
    tables = {"users": [user("ANN")], "conversations": [conversation("c1", "\tAnn ")]}
    assert not (await bench.bring(tables)).findings

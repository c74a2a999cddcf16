"""The workspace and its members."""

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.schema.workspace import Workspace, gid, open_workspace

AT = datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)


async def test_every_field(acme: Workspace) -> None:
    await acme.cast.connection.execute("ALTER TABLE tenants DISABLE TRIGGER USER")
    await acme.cast.connection.execute(
        """UPDATE tenants SET name = 'Acme ✓', settings = '{"a": [1]}', created_at = $1,
        updated_at = $1""",
        AT,
    )
    data = await acme.by("ada").ask(
        """{ tenant { __typename id slug name settings createdAt updatedAt
            members(first: 1) { totalCount nodes { __typename id role isActive createdAt
                tenant { slug } user { username } } } } }"""
    )
    assert data["tenant"] == {
        "__typename": "Tenant",
        "id": gid("Tenant", acme.id),
        "slug": "acme",
        "name": "Acme ✓",
        "settings": {"a": [1]},
        "createdAt": AT.isoformat(),
        "updatedAt": AT.isoformat(),
        "members": {
            "totalCount": 4,
            "nodes": [
                {
                    "__typename": "Membership",
                    "id": gid("Membership", acme.memberships["ada"]),
                    "role": "OWNER",
                    "isActive": True,
                    "createdAt": "2026-01-01T00:01:00+00:00",
                    "tenant": {"slug": "acme"},
                    "user": {"username": "ada"},
                }
            ],
        },
    }


@pytest.mark.parametrize(
    "query",
    [
        "{ tenant { settings } }",
        "{ viewer { membership { tenant { settings } } } }",
        "{ viewer { memberships { tenant { settings } } } }",
        "query ($id: ID!) { node(id: $id) { ... on Tenant { settings } } }",
    ],
)
async def test_settings_are_shown_to_admins(acme: Workspace, query: str) -> None:
    await acme.cast.connection.execute("""UPDATE tenants SET settings = '{"key": "value"}'""")
    variables = {"id": gid("Tenant", acme.id)} if "$id" in query else {}
    for viewer, seen in {"ada": True, "root": True, "bob": False, "carl": False}.items():
        answer = str(await acme.by(viewer).ask(query, **variables))
        assert ("{'settings': {'key': 'value'}}" in answer) == seen
        assert ("{'settings': {}}" in answer) != seen


async def test_settings_of_another_workspace_are_shown_there_only(acme: Workspace) -> None:
    globex = await open_workspace(acme.cast, acme.client, "globex")
    await acme.cast.connection.execute(
        "UPDATE tenants SET settings = jsonb_build_object('of', slug)"
    )
    query = "{ viewer { memberships { tenant { slug settings } } } }"
    for workspace in (acme, globex):
        answer = (await workspace.by("ada").ask(query))["viewer"]["memberships"]
        for one in answer:
            slug = one["tenant"]["slug"]
            assert one["tenant"]["settings"] == ({"of": slug} if slug == workspace.slug else {})
        assert len(answer) == 2


async def test_members_of_another_workspace_are_asked_for_there(acme: Workspace) -> None:
    await open_workspace(acme.cast, acme.client, "globex")
    query = "{ viewer { memberships { tenant { members(first: 1) { totalCount } } } } }"
    response = (await acme.by("ada").post(query)).json()
    (error,) = response["errors"]
    assert error["extensions"] == {"code": "FORBIDDEN"}
    assert error["path"] == ["viewer", "memberships", 1, "tenant", "members"]


async def _members(acme: Workspace, viewer: str, **arguments: Any) -> str:
    query = """query ($search: String, $roles: [TenantRole!]) { tenant {
        members(first: 99, search: $search, roles: $roles) { totalCount nodes {
            user { username } } } } }"""
    found = (await acme.by(viewer).ask(query, **arguments))["tenant"]["members"]
    names = [node["user"]["username"] for node in found["nodes"]]
    assert found["totalCount"] == len(names)
    return " ".join(names)


async def test_members_are_the_active_ones_oldest_first(acme: Workspace) -> None:
    await acme.cast.connection.execute("UPDATE users SET email = NULL")
    cases: list[tuple[dict[str, Any], str]] = [
        ({}, "ada root bob carl"),
        ({"search": None, "roles": None}, "ada root bob carl"),
        ({"roles": ["MEMBER"]}, "bob carl"),
        ({"roles": ["OWNER", "ADMIN"]}, "ada root"),
        ({"roles": []}, ""),
        ({"search": "O"}, "root bob"),
        ({"search": "O", "roles": ["MEMBER"]}, "bob"),
        ({"search": "%"}, ""),
        ({"search": "dora"}, ""),
    ]
    for arguments, found in cases:
        for viewer in ("ada", "bob"):
            assert await _members(acme, viewer, **arguments) == found, arguments


async def test_members_are_found_by_email_by_admins(acme: Workspace) -> None:
    for viewer, found in {"ada": "carl", "root": "carl", "bob": ""}.items():
        assert await _members(acme, viewer, search="carl@") == found


async def test_search_refuses_what_cannot_be(acme: Workspace) -> None:
    query = "query ($s: String!) { tenant { members(first: 1, search: $s) { totalCount } } }"
    assert await acme.by("bob").codes(query, s="\0") == ["BAD_INPUT"]
    assert await acme.by("bob").codes(query.replace("$s)", "$s, roles: [KING])"), s="") == [
        "GRAPHQL_VALIDATION_FAILED"
    ]


async def test_a_membership_that_ended_is_still_found_by_its_id(acme: Workspace) -> None:
    data = await acme.by("bob").ask(
        """query ($id: ID!) { node(id: $id) { ... on Membership { isActive user { username }
            tenant { slug } } } }""",
        id=gid("Membership", acme.memberships["dora"]),
    )
    assert data["node"] == {
        "isActive": False,
        "user": {"username": "dora"},
        "tenant": {"slug": "acme"},
    }

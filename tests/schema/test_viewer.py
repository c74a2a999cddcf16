"""Whoever asks: their workspaces and their sessions."""

from datetime import UTC, datetime, timedelta

from tests.schema.workspace import Workspace, gid, open_workspace

NOW = datetime.now(UTC)
AT = datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)


async def test_nobody(acme: Workspace) -> None:
    assert await acme.client.ask("{ viewer { user { id } } }") == {"viewer": None}


async def test_in_a_workspace(acme: Workspace) -> None:
    data = await acme.by("bob").ask(
        """{ viewer { __typename user { id username email }
            membership { id role tenant { slug } user { id } }
            memberships { id role isActive tenant { slug name } user { username } } } }"""
    )
    id = gid("Membership", acme.memberships["bob"])
    user = gid("User", acme.user("bob"))
    assert data["viewer"] == {
        "__typename": "Viewer",
        "user": {"id": user, "username": "bob", "email": "bob@example.com"},
        "membership": {
            "id": id,
            "role": "MEMBER",
            "tenant": {"slug": "acme"},
            "user": {"id": user},
        },
        "memberships": [
            {
                "id": id,
                "role": "MEMBER",
                "isActive": True,
                "tenant": {"slug": "acme", "name": "Acme"},
                "user": {"username": "bob"},
            }
        ],
    }


async def test_memberships_are_the_active_ones_of_all_workspaces(acme: Workspace) -> None:
    globex = await open_workspace(acme.cast, acme.client, "globex")
    initech = await open_workspace(acme.cast, acme.client, "initech")
    await acme.cast.connection.execute(
        "UPDATE memberships SET role = 'ADMIN' WHERE id = $1", globex.memberships["bob"]
    )
    await acme.cast.connection.execute(
        "UPDATE memberships SET is_active = false WHERE id = $1", initech.memberships["bob"]
    )
    query = """{ viewer { user { username email } membership { role }
        memberships { role tenant { slug } user { username email } } } }"""
    for slug, role in {
        "acme": {"role": "MEMBER"},
        "globex": {"role": "ADMIN"},
        "initech": None,
    }.items():
        bob = {"username": "bob", "email": "bob@example.com"}
        data = await acme.by("bob", slug).ask(query)
        assert data["viewer"] == {
            "user": bob,
            "membership": role,
            "memberships": [
                {"role": "MEMBER", "tenant": {"slug": "acme"}, "user": bob},
                {"role": "ADMIN", "tenant": {"slug": "globex"}, "user": bob},
            ],
        }, slug


async def test_without_a_workspace_the_workspaces_fields_are_empty_or_refused(
    acme: Workspace,
) -> None:
    dan = await acme.cast.person("dan")
    client = acme.client.signed_in(dan)
    data = await client.ask(
        "{ viewer { user { username membership { id } } membership { id } memberships { id } } }"
    )
    assert data["viewer"] == {
        "user": {"username": "dan", "membership": None},
        "membership": None,
        "memberships": [],
    }
    inside = "{ viewer { user { conversations(first: 1) { totalCount } } } }"
    assert await client.codes(inside) == ["FORBIDDEN"]


async def test_sessions_are_ones_own_that_live(acme: Workspace) -> None:
    bob = acme.cast.people["bob"]
    await acme.cast.connection.execute(
        "UPDATE sessions SET last_activity_at = $1, created_at = $1, expires_at = $2,"
        " user_agent = 'Firefox', ip_address = '192.0.2.1' WHERE id = $3",
        AT,
        datetime(2126, 1, 1, tzinfo=UTC),
        bob.session_id,
    )
    later = NOW + timedelta(hours=1)
    phone = await acme.cast.insert("sessions", user_id=bob.id, expires_at=later)
    await acme.cast.insert("sessions", user_id=bob.id, expires_at=NOW - timedelta(seconds=1))
    await acme.cast.insert("sessions", user_id=bob.id, expires_at=later, revoked_at=NOW)
    await acme.cast.insert("sessions", user_id=acme.user("carl"), expires_at=later)
    data = await acme.by("bob").ask(
        """{ viewer { sessions { __typename id userAgent ipAddress createdAt lastActivityAt
            expiresAt isCurrent } } }"""
    )
    other, current = data["viewer"]["sessions"]  # the latest used first
    assert current == {
        "__typename": "Session",
        "id": gid("Session", bob.session_id),
        "userAgent": "Firefox",
        "ipAddress": "192.0.2.1",
        "createdAt": AT.isoformat(),
        "lastActivityAt": AT.isoformat(),
        "expiresAt": "2126-01-01T00:00:00+00:00",
        "isCurrent": True,
    }
    assert other["id"] == gid("Session", phone)
    assert (other["isCurrent"], other["userAgent"], other["ipAddress"]) == (False, None, None)

import pytest

from tests.conftest import Database
from tests.tables.isolation_rules import RULES, grants, problems
from tests.tables.planted import ALLOWED, PLANTED

READ, WRITE = "SELECT", "DELETE, INSERT, SELECT, UPDATE"
TENANT = ["id", "slug", "name", "created_at", "updated_at"]
USER = ["id", "username", "email", "full_name", "is_active", "is_superuser", "last_login_at"]
USER += ["created_at", "updated_at"]
PROFILE = ["email", "full_name", "password_hash"]
SESSION = ["id", "user_id", "user_agent", "ip_address"]
EVENT = ["tenant_id", "action", "actor_id", "target_id", "details", "ip_address", "request_id"]


async def test_tenants_are_apart_in_every_table(database: Database) -> None:
    owner = await database.connect()
    assert await problems(owner) == []
    await owner.close()


async def test_each_role_has_exactly_these_rights(database: Database) -> None:
    owner = await database.connect()
    assert await grants(owner) == {
        "parley_tenant": {
            "tenants": "SELECT, UPDATE",
            "tenant_users": READ,
            "memberships": "INSERT, SELECT, UPDATE",  # who left stays, inactive
            "conversations": WRITE,
            "participants": WRITE,
            "messages": WRITE,
            "message_changes": "INSERT, SELECT",
            "message_documents": "DELETE, INSERT, SELECT",
            "documents": WRITE,
            "audit_events": "INSERT, SELECT",  # append-only
        },
        "parley_search": {
            **dict.fromkeys(
                ("tenants", "conversations", "participants", "messages", "documents"), READ
            ),
        },
        "parley_auth": {
            "memberships": READ,
            "sessions": READ,
            "refresh_tokens": "DELETE, INSERT, SELECT",
            "cache_invalidations": "DELETE, SELECT",
            **{f"tenants.{column}": READ for column in TENANT},  # not settings
            **{f"tenants.{column}": f"INSERT, {READ}" for column in ("id", "slug", "name")},
            **{f"memberships.{column}": "INSERT" for column in ("tenant_id", "user_id", "role")},
            "memberships.entered_at": "UPDATE",
            **{f"users.{column}": READ for column in USER},
            "users.id": f"INSERT, {READ}",
            "users.username": f"INSERT, {READ}",
            **{f"users.{column}": f"INSERT, {READ}, UPDATE" for column in PROFILE},
            "users.last_login_at": f"{READ}, UPDATE",
            **{f"sessions.{column}": "INSERT" for column in SESSION},
            **{f"sessions.{column}": "UPDATE" for column in ("last_activity_at", "revoked_at")},
            **{
                f"sessions.{column}": "INSERT, UPDATE"
                for column in ("home_tenant_id", "expires_at")
            },
            "refresh_tokens.used_at": "UPDATE",
            **{f"audit_events.{column}": "INSERT" for column in EVENT},  # append-only
        },
    }
    await owner.close()


@pytest.mark.parametrize("rule", RULES)
async def test_each_rule_finds_what_is_planted(database: Database, rule: str) -> None:
    admin = await database.connect("postgres")
    for planted in next(PLANTED[start] for start in PLANTED if rule.startswith(start)):
        transaction = admin.transaction()
        await transaction.start()
        await admin.execute(planted)
        found = await problems(admin)
        assert any(problem.startswith(rule) for problem in found), (planted, found)
        await transaction.rollback()
    await admin.close()


@pytest.mark.parametrize("planted", ALLOWED.values(), ids=ALLOWED.keys())
async def test_what_follows_the_rules_is_no_problem(database: Database, planted: str) -> None:
    owner = await database.connect()
    await owner.execute(planted)
    assert await problems(owner) == []
    await owner.close()


@pytest.mark.parametrize(
    "grant",
    [
        "GRANT DELETE ON audit_events TO parley_tenant",
        "GRANT UPDATE (details) ON audit_events TO parley_tenant",
        "GRANT SELECT ON messages TO parley_app",
        "GRANT SELECT ON messages TO PUBLIC",
        "GRANT SELECT (username) ON users TO parley_tenant",
    ],
)
async def test_one_right_more_is_seen(database: Database, grant: str) -> None:
    owner = await database.connect()
    before = await grants(owner)
    await owner.execute(grant)
    assert await grants(owner) != before
    await owner.close()

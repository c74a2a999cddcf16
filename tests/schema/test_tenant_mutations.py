"""Making a workspace, and changing it."""

from typing import Any

import pytest

from tests.schema.workspace import Workspace

TENANT = "tenant { slug name settings }"
EVENTS = """{ auditEvents(first: 50, filter: {action: "tenant.updated"}) {
    nodes { action details actor { username } } } }"""


async def test_whoever_makes_it_owns_it(acme: Workspace) -> None:
    bob = acme.by("bob")
    made = await bob.mutate("createTenant", TENANT, name=" New  Place ")
    assert made == {
        "errors": [],
        "tenant": {"slug": "new-place", "name": "New  Place", "settings": {}},
    }
    data = await acme.by("bob", "new-place").ask(
        """{ viewer { membership { role } } tenant { members(first: 9) { nodes { role
            user { username } } } } auditEvents(first: 9) { nodes { action details } } }"""
    )
    assert data["viewer"] == {"membership": {"role": "OWNER"}}
    assert data["tenant"]["members"]["nodes"] == [{"role": "OWNER", "user": {"username": "bob"}}]
    assert data["auditEvents"]["nodes"] == [
        {"action": "tenant.created", "details": {"name": "New  Place"}}
    ]
    assert await acme.by("ada", "new-place").codes("{ tenant { slug } }") == ["FORBIDDEN"]
    # It is somewhere else: this request, and the session's own workspace, stay where they were.
    assert await bob.ask("{ tenant { slug } }") == {"tenant": {"slug": "acme"}}


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Été à la plage!", "ete-a-la-plage"),
        ("日本", "workspace"),
        ("--", "workspace"),
        ("0189" * 8, "workspace"),
        ("x" * 200, "x" * 54),
        ("A/B' OR 1=1 --", "a-b-or-1-1"),
    ],
)
async def test_a_slug_is_made_of_the_name(acme: Workspace, name: str, slug: str) -> None:
    bob = acme.by("bob")
    made = [await bob.mutate("createTenant", TENANT, name=name) for _ in range(2)]
    first, second = [payload["tenant"]["slug"] for payload in made]
    assert first == slug
    assert second.startswith(f"{slug}-")
    assert len(second) <= 63


@pytest.mark.parametrize(
    ("input", "error"),
    [
        ({"name": ""}, ("BAD_INPUT", ["name"])),
        ({"name": " \t"}, ("BAD_INPUT", ["name"])),
        ({"name": "x" * 201}, ("BAD_INPUT", ["name"])),
        ({"name": "a\0b"}, ("BAD_INPUT", ["name"])),
        ({"name": "a\u202eb"}, ("BAD_INPUT", ["name"])),
        ({"name": "\u200b"}, ("BAD_INPUT", ["name"])),
        ({"name": "\u3164\u200d\u0301"[1:]}, ("BAD_INPUT", ["name"])),
        ({"name": "x", "slug": "acme"}, ("CONFLICT", ["slug"])),
        ({"name": "x", "slug": " ACME "}, ("CONFLICT", ["slug"])),
        ({"name": "x", "slug": ""}, ("BAD_INPUT", ["slug"])),
        ({"name": "x", "slug": "a_b"}, ("BAD_INPUT", ["slug"])),
        ({"name": "x", "slug": "-a"}, ("BAD_INPUT", ["slug"])),
        ({"name": "x", "slug": "a" * 64}, ("BAD_INPUT", ["slug"])),
        ({"name": "x", "slug": "0189" * 8}, ("BAD_INPUT", ["slug"])),
        ({"name": "x", "slug": "0x" + "a" * 30}, ("BAD_INPUT", ["slug"])),
    ],
)
async def test_making_refused(
    acme: Workspace, input: dict[str, Any], error: tuple[str, list[str]]
) -> None:
    assert await acme.by("bob").refused("createTenant", **input) == [error]
    assert await acme.cast.connection.fetchval("SELECT count(*) FROM tenants") == 1


async def test_admins_change_what_is_given(acme: Workspace) -> None:
    root = acme.by("root")
    changes: list[tuple[dict[str, Any], dict[str, Any]]] = [
        ({"name": "Acme 2"}, {"name": "Acme 2", "settings": {}}),
        (
            {"settings": {"theme": "dark", "n": [1, 2.5, None, {"a": "✓"}]}},
            {"name": "Acme 2", "settings": {"theme": "dark", "n": [1, 2.5, None, {"a": "✓"}]}},
        ),
        (
            {"name": "Acme", "settings": {"theme": "light"}},
            {"name": "Acme", "settings": {"theme": "light"}},
        ),
    ]
    for given, expected in changes:
        payload = await root.mutate("updateTenant", TENANT, **given)
        assert payload == {"errors": [], "tenant": {"slug": "acme"} | expected}
    await root.mutate("updateTenant", TENANT, name="Acme", settings={"theme": "light"})
    events = (await root.ask(EVENTS))["auditEvents"]["nodes"]
    assert [event["details"] for event in events] == [
        {"name": ["Acme 2", "Acme"], "settings": ["n", "theme"]},
        {"settings": ["n", "theme"]},
        {"name": ["Acme", "Acme 2"]},
    ]
    assert {event["actor"]["username"] for event in events} == {"root"}


def _nested(depth: int) -> Any:
    return {"a": _nested(depth - 1)} if depth else 1


@pytest.mark.parametrize(
    ("input", "field"),
    [
        ({"name": None}, "name"),
        ({"name": " "}, "name"),
        ({"settings": None}, "settings"),
        ({"settings": []}, "settings"),
        ({"settings": "x"}, "settings"),
        ({"settings": 1}, "settings"),
        ({"settings": {"a": "\0"}}, "settings"),
        ({"settings": {"a": "\ud800"}}, "settings"),
        ({"settings": {"\ud800": 1}}, "settings"),
        ({"name": "\ud800"}, "name"),
        ({"settings": {"a\0": 1}}, "settings"),
        ({"settings": {"a": [{"b": "\0"}]}}, "settings"),
        ({"settings": {"a": "x" * 16_384}}, "settings"),
        ({"settings": _nested(40)}, "settings"),
        ({"settings": _nested(900)}, "settings"),
    ],
)
async def test_changing_refused(acme: Workspace, input: dict[str, Any], field: str) -> None:
    both = {"name": "Other", "settings": {}} | input
    assert await acme.by("ada").refused("updateTenant", **both) == [("BAD_INPUT", [field])]
    assert await acme.by("ada").ask(f"{{ {TENANT} }}") == {
        "tenant": {"slug": "acme", "name": "Acme", "settings": {}}
    }


async def test_a_number_beyond_json_is_refused(acme: Workspace) -> None:
    data = await acme.by("ada").ask(
        f"mutation {{ updateTenant(input: {{settings: {{a: {'9' * 40}}}}})"
        " { errors { code field } tenant { slug } } }"
    )
    error = {"code": "BAD_INPUT", "field": ["settings"]}
    assert data["updateTenant"] == {"errors": [error], "tenant": None}


@pytest.mark.parametrize(
    "language",
    ["klingon", "", "English", "pg_catalog.english", "english\n", ["german"], {}, 1, True],
)
async def test_a_language_that_nobody_knows(acme: Workspace, language: Any) -> None:
    await acme.by("ada").mutate("updateTenant", settings={"searchLanguage": "german"})
    refused = await acme.by("ada").refused("updateTenant", settings={"searchLanguage": language})
    assert refused == [("BAD_INPUT", ["settings", "searchLanguage"])]
    assert await acme.by("ada").ask("{ tenant { settings } }") == {
        "tenant": {"settings": {"searchLanguage": "german"}}
    }


async def test_members_and_strangers_change_nothing(acme: Workspace) -> None:
    eve = await acme.cast.person("eve")
    clients = {
        "FORBIDDEN": [acme.by("bob"), acme.by("dora"), acme.client.signed_in(eve, "acme")],
        "UNAUTHENTICATED": [acme.client],
    }
    for code, those in clients.items():
        for client in those:
            assert await client.refused("updateTenant", name="Mine") == [(code, None)]
    assert await acme.client.refused("createTenant", name="Mine") == [("UNAUTHENTICATED", None)]
    assert (
        await acme.cast.connection.fetchval("SELECT string_agg(name, ',') FROM tenants") == "Acme"
    )

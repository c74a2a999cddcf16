"""Who asks, and in which workspace: from the request's headers, or nobody and nowhere."""

import logging
from datetime import timedelta
from uuid import UUID, uuid4

import httpx
import pytest

from core.credentials import AccessTokens
from tables.engine import DB
from tests.graph import SETTINGS, TOKENS, Person
from tests.schema.workspace import Workspace, open_workspace

ASK = "{ viewer { user { username } } tenant { slug } }"
FOREVER = timedelta(minutes=5)
OTHER_KEY = AccessTokens("HS256", {"development": "x" * 32})


async def _ask(acme: Workspace, query: str = ASK, **headers: str) -> httpx.Response:
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    return await acme.client.http.post("/graphql", json={"query": query}, headers=headers)


def _token(person: Person) -> str:
    return TOKENS.sign(person.id, person.session_id, expires_in=FOREVER)


def _whole(answer: httpx.Response) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    return answer.status_code, answer.headers.raw, answer.content


def _codes(answer: httpx.Response) -> list[str]:
    return [error["extensions"]["code"] for error in answer.json().get("errors", [])]


async def test_nobody_and_somebody(acme: Workspace) -> None:
    viewer = "{ viewer { user { username } } }"
    assert (await _ask(acme, viewer)).json() == {"data": {"viewer": None}}
    assert (await _ask(acme, viewer, X_Tenant="acme")).json() == {"data": {"viewer": None}}
    answer = await _ask(acme, authorization=f"Bearer {_token(acme.cast.people['bob'])}")
    assert answer.json()["data"] == {
        "viewer": {"user": {"username": "bob"}},
        "tenant": {"slug": "acme"},
    }


async def test_the_scheme_is_read_without_case(acme: Workspace) -> None:
    token = _token(acme.cast.people["bob"])
    for header in (f"Bearer {token}", f"bearer {token}", f"BEARER {token}", f"Bearer   {token} "):
        assert _codes(await _ask(acme, authorization=header)) == []
    for header in (
        "",
        " ",
        "Bearer",
        "Bearer ",
        token,
        f"Basic {token}",
        f"Bearer{token}",
        f"Token {token}",
    ):
        answer = await _ask(acme, "{ viewer { user { username } } }", authorization=header)
        assert answer.json()["data"] == {"viewer": None}, header
        assert _codes(answer) == ["UNAUTHENTICATED"], header


async def test_tokens_that_are_not_accepted(acme: Workspace) -> None:
    bob = acme.cast.people["bob"]
    good = _token(bob)
    head, claims, signature = good.split(".")
    expired = TOKENS.sign(bob.id, bob.session_id, expires_in=timedelta(seconds=-60))
    forged = OTHER_KEY.sign(bob.id, bob.session_id, expires_in=FOREVER)
    answers = []
    for token in (
        *(expired, forged, f"{head}.{claims}.", f"{head}.{claims}", f"{head}..{signature}"),
        *("x", "a.b.c", "...", "é", "\\", "null", good[:-2], f"{good}.{good}", "A" * 100_000),
        f"{good} {good}",
    ):
        header = f"Bearer {token}".encode("latin-1").decode("latin-1")
        answer = await acme.client.http.post(
            "/graphql",
            json={"query": "{ __typename viewer { user { username } } }"},
            headers=[(b"authorization", header.encode("latin-1")), (b"x-request-id", b"same")],
        )
        assert answer.json()["data"] == {"__typename": "Query", "viewer": None}
        assert _codes(answer) == ["UNAUTHENTICATED"], token
        answers.append(_whole(answer))
    assert all(answer == answers[0] for answer in answers)


async def _refused(acme: Workspace, person: Person, tenant: str | None = None) -> object:
    headers = {"authorization": f"Bearer {_token(person)}", "x_request_id": "same"}
    return _whole(await _ask(acme, **headers, **({"x_tenant": tenant} if tenant else {})))


async def test_sessions_that_ended_are_one_answer(acme: Workspace) -> None:
    """Revoked, expired, unknown, of another person, of one who is inactive or gone."""
    change = acme.cast.connection.execute
    people = acme.cast.people
    for name, sql in {
        "bob": "UPDATE sessions SET revoked_at = now() WHERE user_id = $1",
        "carl": "UPDATE sessions SET expires_at = now() WHERE user_id = $1",
        "dora": "UPDATE users SET is_active = false WHERE id = $1",
        "root": "DELETE FROM users WHERE id = $1",
    }.items():
        before = await _refused(acme, people[name], "acme")
        await change(sql, people[name].id)
        assert await _refused(acme, people[name], "acme") != before, "at once"
    ada = people["ada"]
    answers = [
        await _refused(acme, people[name], "acme") for name in ("bob", "carl", "dora", "root")
    ]
    answers += [
        await _refused(acme, Person(ada.id, uuid4(), ""), "acme"),
        await _refused(acme, Person(uuid4(), ada.session_id, ""), "acme"),
        await _refused(acme, Person(people["bob"].id, ada.session_id, ""), "acme"),
        await _refused(acme, people["bob"], "nowhere"),
        await _refused(acme, people["bob"]),
    ]
    assert all(answer == answers[0] for answer in answers)
    assert b'"UNAUTHENTICATED"' in str(answers[0]).encode()


async def test_workspaces_that_one_is_not_in_are_one_answer(acme: Workspace) -> None:
    """Unknown, of others, left; by slug and by id."""
    globex = await acme.cast.tenant("globex")
    left = await open_workspace(acme.cast, acme.client, "initech")
    bob = acme.cast.people["bob"]
    await acme.cast.connection.execute(
        "UPDATE memberships SET is_active = false WHERE tenant_id = $1", left.id
    )
    tenants: list[str | UUID] = ["nowhere", "globex", globex, "initech", left.id, uuid4()]
    answers = [await _refused(acme, bob, str(tenant)) for tenant in tenants]
    assert all(answer == answers[0] for answer in answers)
    assert b'"FORBIDDEN"' in str(answers[0]).encode()
    assert await _refused(acme, acme.cast.people["dora"], "acme") == answers[0]


async def test_leaving_and_coming_back_count_at_once(acme: Workspace) -> None:
    membership = acme.memberships["bob"]
    for is_active in (False, True, False):
        await acme.cast.connection.execute(
            "UPDATE memberships SET is_active = $1 WHERE id = $2", is_active, membership
        )
        codes = await acme.by("bob").codes("{ tenant { slug } }")
        assert codes == ([] if is_active else ["FORBIDDEN"])


async def test_the_workspace_is_the_header_or_the_sessions_own(acme: Workspace) -> None:
    globex = await open_workspace(acme.cast, acme.client, "globex")
    bearer = f"Bearer {_token(acme.cast.people['bob'])}"
    for tenant, slug in {
        "globex": "globex",
        str(globex.id): "globex",
        str(globex.id).upper(): "globex",
        globex.id.hex: "globex",
        "acme": "acme",
    }.items():
        answer = await _ask(acme, authorization=bearer, x_tenant=tenant)
        assert answer.json()["data"]["tenant"] == {"slug": slug}, tenant
    assert (await _ask(acme, authorization=bearer)).json()["data"]["tenant"] == {"slug": "acme"}


async def test_a_home_that_is_gone(acme: Workspace) -> None:
    globex = await open_workspace(acme.cast, acme.client, "globex")
    await acme.cast.connection.execute("DELETE FROM tenants WHERE slug = 'acme'")
    bearer = f"Bearer {_token(acme.cast.people['bob'])}"
    assert _codes(await _ask(acme, "{ tenant { slug } }", authorization=bearer)) == ["FORBIDDEN"]
    switch = "{ viewer { user { username } membership { id } memberships { tenant { slug } } } }"
    assert (await _ask(acme, switch, authorization=bearer)).json()["data"]["viewer"] == {
        "user": {"username": "bob"},
        "membership": None,
        "memberships": [{"tenant": {"slug": "globex"}}],
    }
    answer = await _ask(acme, authorization=bearer, x_tenant=globex.slug)
    assert answer.json()["data"]["tenant"] == {"slug": "globex"}


@pytest.mark.parametrize(
    "query",
    [
        "",
        "{",
        "{ nothing }",
        "{ tenant }",
        "{ node(id: 1.5) { id } }",
        "{ users { totalCount } }",
        "{ users(first: 1000) { totalCount } }",
        '{ users(first: 1, after: "x") { totalCount } }',
        "query ($x: Int!) { users(first: $x) { totalCount } }",
        "mutation { nothing }",
        "subscription { nothing }",
        "{ ...F } fragment F on Query { ...F }",
        "{ __typename @skip }",
        '{ conversations(first: 1, filter: {ownerId: "x"}) { totalCount } }',
    ],
)
async def test_every_error_has_a_code(acme: Workspace, query: str) -> None:
    for client in (acme.client, acme.by("bob"), acme.by("bob", "nowhere")):
        answer = (await client.post(query)).json()
        assert answer["errors"]
        for error in answer["errors"]:
            assert error["extensions"]["code"].isupper()
            assert error["extensions"]["code"] != "INTERNAL"


INTERNALS = [
    b"asyncpg",
    b"relation",
    b"messages",
    b"SELECT",
    b"Error:",
    b"Traceback",
    b".py",
    b"pool",
]


async def _is_masked(acme: Workspace, caplog: pytest.LogCaptureFixture, query: str) -> None:
    with caplog.at_level(logging.CRITICAL):
        answer = await acme.by("bob").post(query)
    for error in answer.json()["errors"]:
        assert error["message"] == "Internal error."
        assert error["extensions"] == {
            "code": "INTERNAL",
            "requestId": answer.headers["x-request-id"],
        }
    shown = answer.content.replace(b'"path":["conversations","nodes",0,"messages"]', b"")
    assert not [word for word in INTERNALS if word in shown]


async def test_a_table_that_is_gone(acme: Workspace, caplog: pytest.LogCaptureFixture) -> None:
    await acme.talk("bob")
    await acme.cast.connection.execute("DROP TABLE messages CASCADE")
    query = "{ conversations(first: 1) { nodes { messages(first: 1) { nodes { id } } } } }"
    await _is_masked(acme, caplog, query)
    assert await acme.by("bob").codes("{ conversations(first: 1) { nodes { id } } }") == []


async def test_a_database_that_is_closed(acme: Workspace, caplog: pytest.LogCaptureFixture) -> None:
    await DB.close()
    await _is_masked(acme, caplog, "{ viewer { user { username } } }")
    assert await acme.client.ask("{ __typename }") == {"__typename": "Query"}


def test_the_tests_sign_as_the_server_does() -> None:
    person = Person(uuid4(), uuid4(), "")
    assert AccessTokens.of(SETTINGS).verify(_token(person)).identity.user_id == person.id

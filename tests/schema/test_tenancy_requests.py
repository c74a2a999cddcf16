"""Headers and tokens that try to enter a workspace which is not theirs."""

from datetime import timedelta
from uuid import uuid4

import httpx
import orjson
import pytest

from tests.graph import TOKENS, Person
from tests.schema.twins import SECRET, Twins

pytestmark = pytest.mark.asyncio(loop_scope="module")

QUERY = """{ tenant { id slug } conversations(first: 9) { totalCount nodes { id title } }
    viewer { membership { id } user { id } } }"""


def _whole(answer: httpx.Response) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    return answer.status_code, answer.headers.raw, answer.content


async def _ask(twins: Twins, person: Person, *tenants: bytes) -> httpx.Response:
    token = TOKENS.sign(person.id, person.session_id, expires_in=timedelta(minutes=5))
    headers = [(b"authorization", f"Bearer {token}".encode()), (b"x-request-id", b"same")]
    headers += [(b"x-tenant", tenant) for tenant in tenants]
    return await twins.client.http.post("/graphql", json={"query": QUERY}, headers=headers)


def _names_of_acme(twins: Twins) -> list[bytes]:
    id = str(twins.acme.id)
    forms = [
        id,
        id.upper(),
        twins.acme.id.hex,
        f"{{{id}}}",
        f"urn:uuid:{id}",
        f"{id} ",
        f"Tenant:{id}",
    ]
    slugs = [
        "acme",
        "ACME",
        "Acme",
        "acme ",
        " acme",
        "acme\t",
        "%61cme",
        "acme%00",
        "acme/",
        "./acme",
    ]
    lists = [
        "acme,globex",
        "globex,acme",
        "acme;globex",
        "globex acme",
        "acme\x00",
        "acme\x00globex",
    ]
    sql = ["' OR true --", "acme' --", "*", "%", "_cme", "$3", "null", "", " ", "acm\u00e9"]
    return [text.encode("latin-1") for text in forms + slugs + lists + sql]


async def test_headers_that_name_the_other(twins: Twins) -> None:
    """They get what a workspace gets that does not exist, to the byte."""
    person = twins.cast.people["globex.member"]
    refused = _whole(await _ask(twins, person, b"nowhere"))
    assert b"FORBIDDEN" in refused[2]
    for name in _names_of_acme(twins):
        answer = await _ask(twins, person, name)
        assert _whole(answer) == refused, name
    at_home = twins.cast.people[f"{SECRET}.member"]
    for name in (b"acme", str(twins.acme.id).encode(), twins.acme.id.hex.encode()):
        assert twins.leaks(await _ask(twins, at_home, name))


async def test_two_headers_are_not_two_workspaces(twins: Twins) -> None:
    person = twins.cast.people["globex.member"]
    for tenants in ((b"globex", b"acme"), (b"acme", b"globex"), (b"acme", b"acme")):
        answer = await _ask(twins, person, *tenants)
        assert not twins.leaks(answer), answer.text


@pytest.mark.parametrize("tenant", [(), (b"globex",), (b"acme",)])
async def test_tokens_that_mix_people(twins: Twins, tenant: tuple[bytes, ...]) -> None:
    """A session of another person, or of nobody: signed as it may be, it does not count."""
    mine, theirs = twins.cast.people["globex.owner"], twins.cast.people[f"{SECRET}.owner"]
    mixed = [
        Person(theirs.id, mine.session_id, ""),
        Person(mine.id, theirs.session_id, ""),
        Person(theirs.id, uuid4(), ""),
        Person(theirs.id, twins.acme.id, ""),
        Person(twins.acme.id, mine.session_id, ""),
        Person(theirs.session_id, theirs.id, ""),
    ]
    answers = {_whole(await _ask(twins, person, *tenant))[2] for person in mixed}
    (answer,) = answers
    codes = [error["extensions"]["code"] for error in orjson.loads(answer)["errors"]]
    assert set(codes) == {"UNAUTHENTICATED"}
    eve = twins.cast.people["eve"]
    for person in (Person(eve.id, theirs.session_id, ""), Person(theirs.id, eve.session_id, "")):
        assert _whole(await _ask(twins, person, b"acme"))[2] == answer


async def test_without_a_header_it_is_the_sessions_own(twins: Twins) -> None:
    for person in ("globex.member", "globex.owner"):
        answer = await _ask(twins, twins.cast.people[person])
        assert answer.json()["data"]["tenant"]["slug"] == "globex"
        assert not twins.leaks(answer)

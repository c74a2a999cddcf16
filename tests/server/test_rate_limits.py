"""Requests and attempts are limited, and clients are told what is left and how long to wait."""

import asyncio
import time
from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
import pytest_asyncio

from tests.graph import Client, Person
from tests.schema.signing_in import HASH, PASSWORD
from tests.server.pair import WHO, Pair, either, pair
from tests.server.processes import Server

__all__ = ["pair"]

pytestmark = pytest.mark.asyncio(loop_scope="module")

ADDRESS, TENANT, USER = 12, 6, 4
IN_A_ROW, OF_ACCOUNT, OF_ADDRESS = 3, 9, 11
SIGN_UPS, REFRESHES, REFRESHES_OF_SESSION = 2, 4, 2
SHORT = 3
HOUR = 3600
APP = "https://app.example"
LIMITS = {
    "limit_address": f"{ADDRESS}/hour",
    "limit_tenant": f"{TENANT}/hour",
    "limit_user": f"{USER}/{SHORT} seconds",
    "limit_sign_in": f"{IN_A_ROW}/{SHORT} seconds",
    "limit_sign_in_account": f"{OF_ACCOUNT}/hour",
    "limit_sign_in_address": f"{OF_ADDRESS}/hour",
    "limit_sign_up_address": f"{SIGN_UPS}/hour",
    "limit_refresh_address": f"{REFRESHES}/hour",
    "limit_refresh_session": f"{REFRESHES_OF_SESSION}/hour",
    "allowed_origins": f'["{APP}"]',
}
WRONG, LIMITED = [("UNAUTHENTICATED", None)], [("RATE_LIMITED", None)]
SIGN_IN = 'a{}: signIn(input: {{username: "{}", password: "wrong"}}) {{ errors {{ code }} }}'
TOLD = {"RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset", "Retry-After"}

_addresses = count(1)


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["memory", "valkey"])
async def servers(request: pytest.FixtureRequest, postgres: Path) -> AsyncIterator[Pair]:
    async with either(request.param, postgres, **LIMITS) as pair:
        yield pair


def address() -> str:
    """That nobody has."""
    return f"10.1.{next(_addresses)}.1"


def nobody(server: Server, at: str | None = None) -> Client:
    return server.client(X_Forwarded_For=at or address())


def somebody(server: Server, person: Person, tenant: str | None = None) -> Client:
    """From another address each time."""
    return server.signed_in(person, tenant, X_Forwarded_For=address())


async def passes(client: Client) -> httpx.Response:
    answer = await client.post(WHO)
    assert answer.status_code == httpx.codes.OK, answer.text
    assert "errors" not in answer.json()
    return answer


async def is_limited(client: Client, at_most: int = HOUR) -> int:
    """For how many seconds."""
    answer = await client.post(WHO)
    assert answer.status_code == httpx.codes.TOO_MANY_REQUESTS
    assert answer.headers["content-type"] == "application/json"
    (error,) = answer.json()["errors"]
    assert error["extensions"] == {"code": "RATE_LIMITED"}
    assert answer.headers["RateLimit-Limit"] in map(str, (ADDRESS, TENANT, USER))
    assert answer.headers["RateLimit-Remaining"] == "0"
    assert answer.headers["RateLimit-Reset"] == answer.headers["Retry-After"]
    seconds = int(answer.headers["Retry-After"])
    assert 1 <= seconds <= at_most + 1
    return seconds


async def budget(client: Client) -> tuple[int, int]:
    """The limit, and what is left of it."""
    headers = (await passes(client)).headers
    assert int(headers["RateLimit-Reset"]) >= 1
    return int(headers["RateLimit-Limit"]), int(headers["RateLimit-Remaining"])


async def window(pair: Pair) -> None:
    """Until a short one begins: in memory they do at multiples of their length, and of attempts in
    two of them, those in the first count for less and less."""
    if not pair.valkey:
        await asyncio.sleep(SHORT - time.time() % SHORT)


def going_down(limit: int) -> list[tuple[int, int]]:
    return [(limit, left) for left in reversed(range(limit))]


async def test_an_address(pair: Pair) -> None:
    here = nobody(pair.a)
    assert [await budget(here) for _ in range(ADDRESS)] == going_down(ADDRESS)
    await is_limited(here)
    await passes(nobody(pair.a))


async def test_a_person(pair: Pair) -> None:
    """From wherever, and in whatever workspace."""
    tenant, _ = await pair.tenant()
    other, slug = await pair.tenant()
    bob, carl = await pair.member(tenant), await pair.member(tenant)
    await pair.cast.member(other, bob.id)
    await window(pair)
    assert [await budget(somebody(pair.a, bob)) for _ in range(USER)] == going_down(USER)
    await is_limited(somebody(pair.a, bob, slug), SHORT)
    seconds = await is_limited(somebody(pair.a, bob), SHORT)
    await passes(somebody(pair.a, carl))
    await asyncio.sleep(seconds)
    await passes(somebody(pair.a, bob))


async def test_a_workspace(pair: Pair) -> None:
    (tenant, _), (other, slug) = await pair.tenant(), await pair.tenant()
    bob, carl, dora = [await pair.member(tenant) for _ in range(3)]
    await pair.cast.member(other, dora.id)
    for person in [bob, carl] * (TENANT // 2):
        await passes(somebody(pair.a, person))
    await is_limited(somebody(pair.a, dora))
    await passes(somebody(pair.a, dora, slug))


async def test_who_counts(pair: Pair) -> None:
    """All processes together when Valkey does, else each by itself."""
    at = address()
    for _ in range(ADDRESS // 2):
        await passes(nobody(pair.a, at))
        await passes(nobody(pair.b, at))
    if pair.valkey:
        await is_limited(nobody(pair.a, at))
        await is_limited(nobody(pair.b, at))
    else:
        assert await budget(nobody(pair.a, at)) == (ADDRESS, ADDRESS - ADDRESS // 2 - 1)


async def test_scripts_of_allowed_origins_may_read_it(pair: Pair) -> None:
    at, told = address(), []
    for origin in [APP] * (ADDRESS + 1) + ["https://evil.example"]:
        client = pair.a.client(X_Forwarded_For=at, Origin=origin)
        told.append(await client.post(WHO))
    first, *_, limited, evil = told
    assert limited.status_code == evil.status_code == httpx.codes.TOO_MANY_REQUESTS
    for answer in (first, limited):
        assert answer.headers["access-control-allow-origin"] == APP
        assert set(answer.headers["access-control-expose-headers"].split(", ")) >= TOLD
    assert "access-control-allow-origin" not in evil.headers


async def account(pair: Pair) -> str:
    tenant, _ = await pair.tenant()
    return (await pair.member(tenant, password_hash=HASH)).username


async def signs_in(client: Client, name: str, password: str = PASSWORD) -> Any:
    return await client.refused("signIn", username=name, password=password)


async def fail(client: Client, name: str, times: int) -> None:
    for _ in range(times):
        assert await signs_in(client, name, "wrong") == WRONG


async def fail_at_once(client: Client, *names: str) -> tuple[list[str], int]:
    """In one operation. The codes, and for how many seconds to wait."""
    fields = " ".join(SIGN_IN.format(n, name) for n, name in enumerate(names))
    answer = await client.post(f"mutation {{ {fields} }}")
    assert answer.status_code == httpx.codes.OK
    payloads = answer.json()["data"].values()
    codes = [error["code"] for payload in payloads for error in payload["errors"]]
    return codes, int(answer.headers.get("Retry-After", 0))


def codes(wrong: int, limited: int) -> list[str]:
    return ["UNAUTHENTICATED"] * wrong + ["RATE_LIMITED"] * limited


async def test_failures_in_a_row(pair: Pair) -> None:
    name, here = await account(pair), nobody(pair.a)
    await window(pair)
    await fail(here, name, IN_A_ROW)
    answer = await here.post(f"mutation {{ {SIGN_IN.format(1, name)} }}")
    assert answer.status_code == httpx.codes.OK
    assert answer.json()["data"]["a1"]["errors"] == [{"code": "RATE_LIMITED"}]
    assert await signs_in(here, name) == LIMITED
    assert await signs_in(here, await account(pair)) == []
    assert await signs_in(nobody(pair.a), name) == []
    assert answer.headers["RateLimit-Limit"] == str(IN_A_ROW)
    assert answer.headers["RateLimit-Remaining"] == "0"
    assert answer.headers["RateLimit-Reset"] == answer.headers["Retry-After"]
    seconds = int(answer.headers["Retry-After"])
    assert 1 <= seconds <= SHORT + 1
    await asyncio.sleep(seconds)
    assert await signs_in(here, name) == []


async def test_a_success_ends_the_row(pair: Pair) -> None:
    name, here = await account(pair), nobody(pair.a)
    await window(pair)
    await fail(here, name, IN_A_ROW - 1)
    assert await signs_in(here, name) == []
    await fail(here, name, IN_A_ROW)
    assert await signs_in(here, name) == LIMITED


async def test_each_of_an_operation_counts(pair: Pair) -> None:
    name = await account(pair)
    await window(pair)
    told, seconds = await fail_at_once(nobody(pair.a), *[name] * (IN_A_ROW + 2))
    assert told == codes(IN_A_ROW, 2)
    assert 1 <= seconds <= SHORT + 1


async def test_an_account(pair: Pair) -> None:
    """Many guess, from everywhere."""
    name = await account(pair)
    for _ in range(OF_ACCOUNT):
        await fail(nobody(pair.a), name, 1)
    told, seconds = await fail_at_once(nobody(pair.a), name)
    assert told == codes(0, 1)
    assert SHORT < seconds <= HOUR + 1


def many() -> list[str]:
    """Accounts, one more than may be tried from an address."""
    return [f"nobody-{n}" for n in range(OF_ADDRESS + 1)]


async def test_an_address_of_many_accounts(pair: Pair) -> None:
    told, seconds = await fail_at_once(nobody(pair.a), *many())
    assert told == codes(OF_ADDRESS, 1)
    assert SHORT < seconds <= HOUR + 1


async def test_signing_up(pair: Pair) -> None:
    here, made = nobody(pair.a), {"email": "@", "password": PASSWORD, "username": "zoe"}
    for _ in range(SIGN_UPS):
        assert await here.refused("signUp", **made) == [("BAD_INPUT", ["email"])]
    assert await here.refused("signUp", **made) == LIMITED
    assert await nobody(pair.a).refused("signUp", **made) == [("BAD_INPUT", ["email"])]


async def test_refreshing_from_an_address(pair: Pair) -> None:
    here = nobody(pair.a)
    for _ in range(REFRESHES):
        assert await here.refused("refreshSession", refreshToken=uuid4().hex) == WRONG
    assert await here.refused("refreshSession", refreshToken=uuid4().hex) == LIMITED


async def test_refreshing_a_session(pair: Pair) -> None:
    name = await account(pair)
    payload = await nobody(pair.a).mutate(
        "signIn", "refreshToken accessToken", username=name, password=PASSWORD
    )
    token = payload["refreshToken"]
    for _ in range(REFRESHES_OF_SESSION):
        refreshed = await nobody(pair.a).mutate(
            "refreshSession", "refreshToken", refreshToken=token
        )
        assert refreshed["errors"] == []
        token = refreshed["refreshToken"]
    assert await nobody(pair.a).refused("refreshSession", refreshToken=token) == LIMITED
    await passes(pair.a.by(payload["accessToken"], X_Forwarded_For=address()))


async def test_without_valkey_each_counts_by_itself(pair: Pair) -> None:
    """The last test: it dies."""
    if pair.valkey:
        pair.valkey.stop()
    at = address()
    for server in (pair.a, pair.b):
        for _ in range(ADDRESS):
            await passes(nobody(server, at))
        await is_limited(nobody(server, at))
    told, _ = await fail_at_once(nobody(pair.a), *many())
    assert told == codes(OF_ADDRESS, 1)

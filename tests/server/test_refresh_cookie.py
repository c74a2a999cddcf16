"""The refresh token in a cookie: for our own pages, and for no others, in a real browser too."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from http.cookies import Morsel, SimpleCookie
from typing import Any

import httpx
import pytest
from playwright.async_api import BrowserContext, Page, Route
from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Route as ServerRoute

from core.settings import Settings
from server.app import create_app
from tests.conftest import Database
from tests.graph import Cast, Client, asking
from tests.schema.signing_in import HASH, PASSWORD, bearing, give_password
from tests.schema.workspace import Workspace
from tests.server.browser import browsing
from tests.server.serving import serving

NAME, PATH = "__Secure-parley-refresh", "/graphql/refresh"
APP = "https://app.example"
ME = "{ viewer { user { username } } }"
BOB = {"viewer": {"user": {"username": "bob"}}}
ASKED = {"X-Refresh-Cookie": "1"}
SIGN_IN = f"""mutation {{ signIn(input: {{username: "bob", password: "{PASSWORD}"}}) {{
    errors {{ code }} accessToken refreshToken }} }}"""
REFRESH = """mutation { refreshSession(input: {refreshToken: ""}) {
    errors { code } accessToken refreshToken } }"""
SIGN_OUT = "mutation { signOut { success } }"
REFUSED = {"errors": [{"code": "UNAUTHENTICATED"}], "accessToken": None, "refreshToken": None}


def _settings(*origins: str, **more: Any) -> Settings:
    return Settings(
        environment="test",
        sign_in_floor=0,
        refresh_cookie=True,
        session_seconds=5000,
        allowed_origins=list(origins),
        **more,
    )


@pytest.fixture
async def web(acme: Workspace) -> AsyncIterator[Client]:
    """An app that keeps refresh tokens in cookies, and allows another origin."""
    await give_password(acme, "bob")
    async with asking(_settings(APP)) as client:
        yield client


async def _post(client: Client, query: str, path: str = PATH, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    sent = {**client.headers, **named}
    client.http.cookies.clear()
    return await client.http.post(path, json={"query": query}, headers=sent)


def _payload(answer: httpx.Response) -> Any:
    (payload,) = answer.json()["data"].values()
    return payload


def _set(answer: httpx.Response) -> "Morsel[str]":
    (line,) = answer.headers.get_list("set-cookie")
    return SimpleCookie(line)[NAME]


async def _sign_in(client: Client) -> tuple[Any, str]:
    """The payload, and the cookie as a browser sends it."""
    answer = await _post(client, SIGN_IN, **ASKED)
    return _payload(answer), f"{NAME}={_set(answer).value}"


async def _is_ignored(client: Client, cookie: str, path: str = PATH, **headers: str) -> bool:
    """Nothing is exchanged or set; who signs in is given the token as it always was."""
    answer = await _post(client, REFRESH, path, cookie=cookie, **headers)
    signed_in = await _post(client, SIGN_IN, path, **headers)
    return (
        _payload(answer) == REFUSED
        and bool(_payload(signed_in)["refreshToken"])
        and not {"set-cookie"} & {*answer.headers, *signed_in.headers}
    )


async def test_what_is_set(web: Client) -> None:
    answer = await _post(web, SIGN_IN, "/graphql", **ASKED)
    payload, cookie = _payload(answer), _set(answer)
    assert payload["errors"] == []
    assert payload["refreshToken"] is None
    assert await bearing(web, payload).ask(ME) == BOB
    assert cookie.value.encode() not in answer.content
    assert {name: value for name, value in cookie.items() if value} == {
        "httponly": True,
        "secure": True,
        "samesite": "strict",
        "path": PATH,
        "max-age": "5000",
    }


async def test_it_is_exchanged_and_forgotten(web: Client) -> None:
    payload, cookie = await _sign_in(web)
    seen = {cookie}
    for _ in range(3):
        answer = await _post(web, REFRESH, cookie=f"theme=dark; {cookie}", **ASKED)
        payload = _payload(answer)
        assert (payload["errors"], payload["refreshToken"]) == ([], None)
        assert await bearing(web, payload).ask(ME) == BOB
        assert _set(answer)["max-age"] == "5000"
        cookie = f"{NAME}={_set(answer).value}"
        seen.add(cookie)
    assert len(seen) == 4

    answer = await _post(bearing(web, payload), SIGN_OUT, "/graphql", **ASKED)
    assert _payload(answer) == {"success": True}
    gone = _set(answer)
    assert (gone.value, gone["max-age"], gone["path"]) == ("", "0", PATH)
    refused = await _post(web, REFRESH, cookie=cookie, **ASKED)
    assert _payload(refused) == REFUSED
    assert "set-cookie" not in refused.headers


@pytest.mark.parametrize("ending", ["signOutEverywhere", "revokeSession"])
async def test_other_endings_forget_it_too(web: Client, ending: str) -> None:
    client = bearing(web, (await _sign_in(web))[0])
    sessions = (await client.ask("{ viewer { sessions { id isCurrent } } }"))["viewer"]["sessions"]
    for session in sorted(sessions, key=lambda session: bool(session["isCurrent"])):
        input = f'(input: {{id: "{session["id"]}"}})' if ending == "revokeSession" else ""
        query = f"mutation {{ {ending}{input} {{ success }} }}"
        answer = await _post(client, query, "/graphql", **ASKED)
        is_over = ending == "signOutEverywhere" or session["isCurrent"]
        assert ("set-cookie" in answer.headers) == is_over
        if is_over:
            assert _set(answer).value == ""
            break


async def test_failures_set_nothing(web: Client) -> None:
    _, cookie = await _sign_in(web)
    for query, sent in (
        (SIGN_IN.replace(PASSWORD, "wrong"), cookie),
        (REFRESH, ""),
        (REFRESH, f"{NAME}="),
        (REFRESH, f"{NAME}=x"),
        (REFRESH, f"{cookie}x"),
        (REFRESH, cookie.replace("__Secure-", "")),
        (REFRESH, cookie.replace("parley", "PARLEY")),
        (SIGN_OUT, cookie),
        (ME, cookie),
    ):
        answer = await _post(web, query, cookie=sent, **ASKED)
        assert "set-cookie" not in answer.headers, (query, sent)
        assert query != REFRESH or _payload(answer) == REFUSED
    assert _payload(await _post(web, REFRESH, cookie=cookie, **ASKED))["errors"] == []


async def test_it_signs_nobody_in_by_itself(web: Client) -> None:
    """Only an access token does, which no browser sends unasked."""
    _, cookie = await _sign_in(web)
    answer = await _post(web, ME, cookie=cookie, **ASKED)
    assert answer.json() == {"data": {"viewer": None}}


async def test_without_the_header_it_is_ignored(web: Client) -> None:
    _, cookie = await _sign_in(web)
    assert await _is_ignored(web, cookie)
    assert await _is_ignored(web, cookie, origin="http://parley.test")
    assert await _is_ignored(web, cookie, origin=APP)
    assert _payload(await _post(web, REFRESH, cookie=cookie, **ASKED))["errors"] == []


@pytest.mark.parametrize(
    "origin",
    [
        *("https://evil.example", "null", "", "http://", "file://", "*", APP.upper(), f"{APP}/"),
        *(f"{APP}.evil.example", f"{APP}:444", "http://app.example", "https://x.app.example"),
        *("http://parley.test.evil.example", "http://x.parley.test", "http://parley.test:81"),
        *("http://evil.example/parley.test", "http://parley.test@evil.example", "http://test"),
        *("http://[", "http://[::1", "http://parley.test:x", "parley.test", "ftp://parley.test"),
        *("http://parley.test, https://evil.example", f"https://evil.example {APP}"),
    ],
)
async def test_for_pages_of_others_it_is_ignored(web: Client, origin: str) -> None:
    """Even if a browser let them send the header."""
    _, cookie = await _sign_in(web)
    assert await _is_ignored(web, cookie, origin=origin, **ASKED)


@pytest.mark.parametrize("origin", ["http://parley.test", "https://parley.test", APP])
async def test_for_our_own_pages_it_is_not(web: Client, origin: str) -> None:
    """TLS may end before us: our own scheme is not known."""
    _, cookie = await _sign_in(web)
    answer = await _post(web, REFRESH, cookie=cookie, origin=origin, **ASKED)
    assert _payload(answer)["errors"] == []
    assert _set(answer).value


async def test_any_origin_may_ask_but_not_with_the_cookie(acme: Workspace) -> None:
    """When "*" is allowed, which is not said of the cookie."""
    await give_password(acme, "bob")
    async with asking(_settings("*")) as client:
        _, cookie = await _sign_in(client)
        assert await _is_ignored(client, cookie, origin="https://evil.example", **ASKED)


async def test_without_the_setting_it_is_ignored(acme: Workspace, web: Client) -> None:
    _, cookie = await _sign_in(web)
    assert await _is_ignored(acme.client, cookie, **ASKED)
    assert await _is_ignored(acme.client, cookie, "/graphql", **ASKED)
    assert _payload(await _post(web, REFRESH, cookie=cookie, **ASKED))["errors"] == []


async def _preflight(client: Client, origin: str) -> httpx.Headers:
    headers = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type,x-refresh-cookie",
    }
    return (await client.http.options(PATH, headers=headers)).headers


async def test_what_browsers_are_told(web: Client) -> None:
    allowed = await _preflight(web, APP)
    assert allowed["access-control-allow-origin"] == APP
    assert allowed["access-control-allow-credentials"] == "true"
    assert "x-refresh-cookie" in allowed["access-control-allow-headers"].lower()
    for origin in ("https://evil.example", "null", f"{APP}.evil.example", "http://app.example"):
        assert "access-control-allow-origin" not in await _preflight(web, origin)
        answer = await _post(web, ME, origin=origin)
        assert "access-control-allow-origin" not in answer.headers
    async with asking(Settings(environment="test", allowed_origins=[APP])) as client:
        told = await _preflight(client, APP)
        assert told["access-control-allow-origin"] == APP
        assert "access-control-allow-credentials" not in told


# In Chromium. 127.0.0.1 and localhost are two sites, two ports of one are the same site.


@dataclass
class Site:
    origin: str
    neighbour: str
    """Of the same site, whom we allow."""
    foreign: str
    """Another site, whom we allow too: the cookie is withheld all the same."""
    strangers: tuple[str, str]
    """Of the same site and of another, whom we do not allow."""
    cast: Cast
    profile: BrowserContext

    async def visit(self, origin: str) -> Page:
        page = await self.profile.new_page()
        await page.goto(f"{origin}/healthz")
        return page

    async def token(self) -> str:
        """What the cookie keeps."""
        return "".join(each["value"] for each in await self.profile.cookies(f"{self.origin}{PATH}"))

    async def exchanged(self) -> int:
        count: int = await self.cast.connection.fetchval(
            "SELECT count(*) FROM refresh_tokens WHERE used_at IS NOT NULL"
        )
        return count


@pytest.fixture
def neighbours() -> Iterator[tuple[str, str]]:
    """Two origins, with nothing on their pages."""
    blank = Starlette(routes=[ServerRoute("/healthz", lambda _: HTMLResponse("<p>"))])
    with serving(blank) as one, serving(blank) as other:
        yield one, other


@pytest.fixture
async def site(database: Database, cast: Cast, neighbours: tuple[str, str]) -> AsyncIterator[Site]:
    tenant = await cast.tenant("acme")
    bob = await cast.person("bob", tenant, password_hash=HASH)
    await cast.member(tenant, bob.id)
    allowed, stranger = neighbours
    foreign = allowed.replace("127.0.0.1", "localhost")
    settings = _settings(allowed, foreign, database_url=database.url("parley_app"))
    with serving(create_app(settings)) as origin:
        async with browsing() as browser, await browser.new_context() as profile:
            strangers = (stranger, stranger.replace("127.0.0.1", "localhost"))
            yield Site(origin, allowed, foreign, strangers, cast, profile)


FETCH = """async ([url, query, headers, options]) => {
    try {
        const answer = await fetch(url, {
            method: "POST", headers: {"Content-Type": "application/json", ...headers},
            body: JSON.stringify({query}), ...options })
        return (await answer.json()).data
    } catch (error) { return String(error) }
}"""
SAME_ORIGIN, INCLUDED = {"credentials": "same-origin"}, {"credentials": "include"}
OPAQUE = {**INCLUDED, "mode": "no-cors"}
FORM = """([url, query]) => {
    const form = document.body.appendChild(document.createElement("form"))
    Object.assign(form, {action: url, method: "POST", enctype: "text/plain"})
    const field = form.appendChild(document.createElement("input"))
    field.name = JSON.stringify({query}).slice(0, -1) + ',"x":"'
    field.value = '"}'
    form.submit()
}"""


async def _fetch(
    page: Page, url: str, query: str, headers: dict[str, str], options: dict[str, str]
) -> Any:
    return await page.evaluate(FETCH, [url, query, headers, options])


async def _read_by_scripts(page: Page, url: str) -> str:
    """Where the cookie's path would let them."""

    async def blank(route: Route) -> None:
        await route.fulfill(body="<p>", content_type="text/html")

    await page.route(url, blank)
    await page.goto(url)
    await page.unroute(url)
    return str(await page.evaluate("document.cookie"))


async def test_a_page_of_ours(site: Site) -> None:
    page = await site.visit(site.origin)
    answer = await _fetch(page, "/graphql", SIGN_IN, ASKED, SAME_ORIGIN)
    assert (answer["signIn"]["errors"], answer["signIn"]["refreshToken"]) == ([], None)
    (cookie,) = await site.profile.cookies(f"{site.origin}{PATH}")
    assert (cookie["httpOnly"], cookie["secure"], cookie["sameSite"]) == (True, True, "Strict")
    assert await site.profile.cookies(f"{site.origin}/graphql") == []
    assert await page.evaluate("document.cookie") == ""
    assert await _read_by_scripts(page, f"{site.origin}{PATH}") == ""

    seen = {await site.token()}
    for _ in range(2):
        answer = (await _fetch(page, PATH, REFRESH, ASKED, SAME_ORIGIN))["refreshSession"]
        assert (answer["errors"], answer["refreshToken"]) == ([], None)
        seen.add(await site.token())
    assert len(seen) == 3
    bearer = {"Authorization": f"Bearer {answer['accessToken']}"}
    assert await _fetch(page, "/graphql", ME, bearer, SAME_ORIGIN) == BOB
    for path, headers in ((PATH, {}), ("/graphql", ASKED)):
        answer = await _fetch(page, path, REFRESH, headers, SAME_ORIGIN)
        assert answer["refreshSession"] == REFUSED

    await _fetch(page, "/graphql", SIGN_OUT, ASKED | bearer, SAME_ORIGIN)
    assert await site.token() == ""
    assert await _fetch(page, "/graphql", ME, bearer, SAME_ORIGIN) == {"viewer": None}
    answer = await _fetch(page, PATH, REFRESH, ASKED, SAME_ORIGIN)
    assert answer["refreshSession"] == REFUSED


async def test_pages_that_we_allow(site: Site) -> None:
    """One on another site is not sent its cookie: browser apps live on the site of the server."""
    url = f"{site.origin}{PATH}"
    page = await site.visit(site.neighbour)
    assert (await _fetch(page, url, SIGN_IN, ASKED, INCLUDED))["signIn"]["errors"] == []
    before = await site.token()
    answer = await _fetch(page, url, REFRESH, ASKED, INCLUDED)
    assert answer["refreshSession"]["errors"] == []
    token = await site.token()
    assert token not in {"", before}
    foreign = await site.visit(site.foreign)
    assert (await _fetch(foreign, url, REFRESH, ASKED, INCLUDED))["refreshSession"] == REFUSED
    assert (await site.token(), await site.exchanged()) == (token, 1)


async def test_pages_of_strangers(site: Site) -> None:
    """They neither refresh, nor read, nor sign the victim in as somebody else."""
    own = await site.visit(site.origin)
    await _fetch(own, "/graphql", SIGN_IN, ASKED, SAME_ORIGIN)
    token, url = await site.token(), f"{site.origin}{PATH}"
    assert token
    plain = {"Content-Type": "text/plain"}
    for stranger in site.strangers:
        for query in (REFRESH, SIGN_IN, ME):
            page = await site.visit(stranger)
            for headers, options in (
                (ASKED, INCLUDED),
                ({}, INCLUDED),
                (plain, INCLUDED),
                (plain | ASKED, OPAQUE),
                (plain, OPAQUE),
            ):
                answer = await _fetch(page, url, query, headers, options)
                assert "TypeError" in answer or "SyntaxError" in answer, answer
            async with page.expect_response(url) as answered:
                await page.evaluate(FORM, [url, query])
            sent = await (await answered.value).request.all_headers()
            assert ("cookie" in sent) == (stranger == site.strangers[0]), "only on the same site"
        assert (await site.token(), await site.exchanged()) == (token, 0)
    answer = await _fetch(own, PATH, REFRESH, ASKED, SAME_ORIGIN)
    assert answer["refreshSession"]["errors"] == []

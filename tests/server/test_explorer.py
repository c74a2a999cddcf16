"""GraphiQL in a real browser, from our own assets and from nowhere else."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Dialog, Page, expect

from core.settings import Settings
from ops.seed import seed
from ops.token import TokenRequest, mint
from server import explorer
from server.app import create_app
from tests.conftest import cloned
from tests.graph import Client
from tests.server.browser import Visit, browsing
from tests.server.serving import serving

HTML = {"Accept": "text/html"}

# What is typed becomes the operation a moment later, and is kept then.
KNOWS_THE_NAME = """() => Object.values(localStorage)
    .some(kept => kept.includes('"operationName":"News"'))"""

# Starting Chromium takes a second: one for all tests, and a fresh profile for each.
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def settings(postgres: Path) -> AsyncIterator[Settings]:
    """Of a server with the demo workspace."""
    async with cloned(postgres) as database:
        settings = Settings(
            environment="test",
            database_url=database.url("parley_app"),
            owner_database_url=database.url("parley_owner"),
        )
        await seed(settings)
        yield settings


@pytest.fixture(scope="module")
def address(settings: Settings) -> Iterator[str]:
    assert explorer.page() is not None, "explorer/dist is missing: run `make explorer`"
    with serving(create_app(settings)) as origin:
        yield f"{origin}/graphql"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def link(settings: Settings, address: str) -> str:
    """As `make run` prints it."""
    token = await mint(settings, TokenRequest("admin", "demo", timedelta(minutes=5)))
    return f"{address}#token={token}&tenant=demo"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with browsing() as browser:
        yield browser


@pytest_asyncio.fixture(loop_scope="module")
async def visit(browser: Browser) -> AsyncIterator[Visit]:
    async with await browser.new_context() as profile:
        yield Visit(await profile.new_page())


async def ready(page: Page) -> None:
    """Both editors show, and the schema has come: the query's fields are checked against it."""
    await expect(page.locator(".graphiql-query-editor .view-lines")).to_contain_text("Overview")
    await expect(page.locator(".graphiql-spinner")).to_have_count(0)


async def run(page: Page) -> None:
    await page.get_by_role("button", name="Execute query").click()


async def test_the_example_answers_on_the_first_press(visit: Visit, link: str) -> None:
    await visit.page.goto(link)
    await ready(visit.page)
    await run(visit.page)
    result = visit.page.locator(".result-window .view-lines")
    await expect(result).to_contain_text('"username": "admin"')
    await expect(result).to_contain_text('"slug": "demo"')
    await expect(result).to_contain_text('"totalCount"')
    await expect(result).not_to_contain_text('"errors"')
    assert visit.complaints == []


@pytest.mark.parametrize("width", [1300, 700])
async def test_it_is_as_wide_as_its_window(visit: Visit, link: str, width: int) -> None:
    await visit.page.set_viewport_size({"width": width, "height": 800})
    await visit.page.goto(link)
    await ready(visit.page)
    widths = "[document.documentElement.scrollWidth, document.documentElement.scrollHeight]"
    assert await visit.page.evaluate(widths) == [width, 800]


async def test_no_other_host_is_asked(visit: Visit, link: str) -> None:
    await visit.page.goto(link)
    await ready(visit.page)
    await run(visit.page)
    await visit.page.get_by_role("button", name="Show Documentation Explorer").click()
    await visit.page.get_by_role("button", name="Prettify query").click()
    await visit.page.wait_for_load_state("networkidle")
    workers = {
        urlsplit(worker.url).path.split("/")[-1].split(".")[0] for worker in visit.page.workers
    }
    assert workers == {"editor", "graphql", "json"}
    assert {urlsplit(each).netloc for each in visit.addresses} == {urlsplit(link).netloc}
    assert visit.complaints == []


async def test_a_link_signs_in_and_is_forgotten(visit: Visit, address: str) -> None:
    await visit.page.goto(f"{address}#token=a%2Bb&tenant=demo")
    await ready(visit.page)
    assert visit.page.url == address

    await visit.page.reload()
    await ready(visit.page)
    await expect(visit.page.get_by_label("Token")).to_have_value("a+b")
    await expect(visit.page.get_by_label("Tenant")).to_have_value("demo")
    await expect(visit.page.get_by_role("status")).to_have_count(0)
    posts = [request for request in visit.requests if request.method == "POST"]
    assert {request.headers["authorization"] for request in posts} == {"Bearer a+b"}
    assert {request.headers["x-tenant"] for request in posts} == {"demo"}


@pytest.mark.parametrize(
    ("answer", "token", "tenant"), [("accept", "new", ""), ("dismiss", "old", "demo")]
)
async def test_a_link_replaces_another_token_when_it_may(
    visit: Visit, address: str, answer: str, token: str, tenant: str
) -> None:
    """Also in an open tab. Who is sent a link must not work as somebody else unnoticed."""
    asked: list[str] = []

    async def decide(dialog: Dialog) -> None:
        asked.append(dialog.message)
        await getattr(dialog, answer)()

    visit.page.on("dialog", decide)
    await visit.page.goto(f"{address}#token=old&tenant=demo")
    await ready(visit.page)
    await visit.page.goto(f"{address}#token=old&tenant=demo")
    await expect(visit.page).to_have_url(address)
    assert asked == []
    await visit.page.goto(f"{address}#token=new")
    await expect(visit.page).to_have_url(address)
    assert asked == ["This link signs in with another token. Replace the one that is kept here?"]
    for _ in range(2):
        await ready(visit.page)
        await expect(visit.page.get_by_label("Token")).to_have_value(token)
        await expect(visit.page.get_by_label("Tenant")).to_have_value(tenant)
        await visit.page.reload()
    assert len(asked) == 1


@pytest.mark.parametrize("kept", ["{", "null", "7", '"text"', '{"token": null}'])
async def test_what_is_kept_may_be_damaged(visit: Visit, address: str, kept: str) -> None:
    await visit.page.goto(address)
    await visit.page.evaluate("kept => localStorage.setItem('parley:credentials', kept)", kept)
    await visit.page.reload()
    await ready(visit.page)
    await expect(visit.page.get_by_label("Token")).to_have_value("")
    await expect(visit.page.get_by_role("status")).to_contain_text("You are signed out")
    assert "authorization" not in visit.requests[-1].headers


async def test_signing_in_by_hand(visit: Visit, address: str) -> None:
    await visit.page.goto(address)
    await ready(visit.page)
    await expect(visit.page.get_by_role("status")).to_contain_text("python -m ops token")
    assert "authorization" not in visit.requests[-1].headers

    await visit.page.get_by_label("Token").fill(" secret ")
    async with visit.page.expect_request(address) as asked:
        await visit.page.get_by_label("Token").press("Enter")
    assert (await asked.value).headers["authorization"] == "Bearer secret"
    await expect(visit.page.get_by_role("status")).to_have_count(0)

    await visit.page.reload()
    await expect(visit.page.get_by_label("Token")).to_have_value("secret")


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_bar_follows_the_theme(visit: Visit, address: str, scheme: str) -> None:
    await visit.page.emulate_media(color_scheme="dark" if scheme == "light" else "light")
    await visit.page.goto(address)
    await ready(visit.page)
    await visit.page.get_by_role("button", name="Open settings dialog").click()
    await visit.page.get_by_role("button", name=scheme.title(), exact=True).click()
    colours = await visit.page.eval_on_selector_all(
        ".graphiql-container", "all => all.map(each => getComputedStyle(each).backgroundColor)"
    )
    assert len(colours) == 2
    assert len(set(colours)) == 1


async def test_subscriptions_run_over_a_socket(
    visit: Visit, link: str, settings: Settings, address: str
) -> None:
    """As whoever the bar names; the page's content policy allows it."""
    await visit.page.goto(link)
    await ready(visit.page)
    await visit.page.locator(".graphiql-query-editor .view-lines").click()
    await visit.page.keyboard.press("ControlOrMeta+A")
    await visit.page.keyboard.insert_text("subscription News { inboxChanges { title } }")
    await visit.page.wait_for_function(KNOWS_THE_NAME)
    async with visit.page.expect_websocket() as opened:
        await run(visit.page)
    socket = await opened.value
    assert socket.url == address.replace("http", "ws")
    await expect(visit.page.get_by_role("button", name="Stop query")).to_be_visible()
    token = await mint(settings, TokenRequest("admin", "demo", timedelta(minutes=5)))
    result = visit.page.locator(".result-window .view-lines")
    async with httpx.AsyncClient(timeout=30) as http:
        http.base_url = httpx.URL(address).join("/")
        client = Client(http, {"Authorization": f"Bearer {token}"})
        async with asyncio.timeout(30):  # what happens before it has begun is not told
            while "Announced" not in await result.inner_text():
                await client.mutate("createConversation", title="Announced")
                await asyncio.sleep(0.2)
    await visit.page.get_by_role("button", name="Stop query").click()
    assert visit.complaints == []


async def test_headers(address: str) -> None:
    async with httpx.AsyncClient() as client:
        shown = await client.get(address, headers=HTML)
        script = shown.text.split('src="')[1].split('"')[0]
        asset = await client.get(httpx.URL(address).join(script))
        outside = await client.get(httpx.URL(address).join("/explorer/assets/..%2Findex.html"))
    assert "default-src 'none'" in shown.headers["content-security-policy"]
    assert "unsafe-eval" not in shown.headers["content-security-policy"]
    assert shown.headers["x-content-type-options"] == "nosniff"
    assert shown.headers["referrer-policy"] == "no-referrer"
    assert shown.headers["x-frame-options"] == "DENY"
    assert asset.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert asset.headers["content-type"].startswith("text/javascript")
    assert outside.status_code == 404


async def test_strawberry_serves_its_own_page_without_a_build(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(explorer, "DIST", tmp_path)
    transport = httpx.ASGITransport(create_app(Settings(environment="test")))
    async with httpx.AsyncClient(transport=transport, base_url="http://parley.test") as client:
        shown = await client.get("/graphql", headers=HTML)
        asset = await client.get("/explorer/assets/index.js")
    assert "Strawberry GraphiQL" in shown.text
    assert asset.status_code == 404


async def test_nothing_in_the_build_gives_our_sources_away() -> None:
    assert not list(explorer.DIST.rglob("*.map"))

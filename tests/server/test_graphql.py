"""What the view adds to Strawberry's: GraphQL over HTTP, and errors that tell nothing."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import httpx
import pytest
from orjson import Fragment

from server.app import create_app
from server.responses import to_json
from tests.conftest import Database
from tests.graph import SETTINGS, Cast, Client
from tests.server.serving import serving

GRAPHQL_RESPONSE = {"Accept": "application/graphql-response+json"}


async def test_answers_in_the_media_type_that_is_asked_for(client: Client) -> None:
    plain = await client.http.post("/graphql", json={"query": "{ __typename }"})
    assert plain.headers["content-type"] == "application/json"
    asked = await client.http.post(
        "/graphql", json={"query": "{ __typename }"}, headers=GRAPHQL_RESPONSE
    )
    assert asked.headers["content-type"] == "application/graphql-response+json; charset=utf-8"
    assert asked.status_code == 200
    assert asked.json() == {"data": {"__typename": "Query"}}


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("{", "GRAPHQL_PARSE_FAILED"),
        ("{ nothing }", "GRAPHQL_VALIDATION_FAILED"),
        ("query ($id: ID!) { node(id: $id) { id } }", "BAD_INPUT"),
    ],
)
async def test_request_errors_have_no_data(client: Client, query: str, code: str) -> None:
    plain = await client.http.post("/graphql", json={"query": query})
    assert plain.status_code == 200
    assert "data" not in plain.json()
    assert [error["extensions"]["code"] for error in plain.json()["errors"]] == [code]
    asked = await client.http.post("/graphql", json={"query": query}, headers=GRAPHQL_RESPONSE)
    assert asked.status_code == 400


async def test_one_of_several_operations_must_be_named(client: Client) -> None:
    async def answer(**body: str) -> Any:
        query = "query A { a: __typename } query B { b: __typename }"
        return (await client.http.post("/graphql", json={"query": query} | body)).json()

    assert (await answer(operationName="B")) == {"data": {"b": "Query"}}
    assert (await answer())["errors"][0]["extensions"]["code"] == "BAD_INPUT"
    assert (await answer(operationName="C"))["errors"][0]["extensions"]["code"] == "BAD_REQUEST"


async def test_field_errors_keep_data_and_status(client: Client) -> None:
    query = "{ viewer { user { id } } node(id: 1) { id } }"
    answer = await client.http.post("/graphql", json={"query": query}, headers=GRAPHQL_RESPONSE)
    assert answer.status_code == 200
    assert answer.json()["data"] == {"viewer": None, "node": None}
    assert answer.json()["errors"][0]["extensions"] == {"code": "UNAUTHENTICATED"}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"1",
        b'"x"',
        b"[]",
        b'[{"query": "{ __typename }"}]',
        b"{}",
        b'{"query": 1}',
        b'{"query": "{ __typename }", "variables": []}',
        b'{"query": "{ __typename }", "variables": "x"}',
        b'{"query": "{ __typename }", "operationName": {}}',
        b'{"query": "{ __typename }", "operationName": []}',
        b'{"query": "{ __typename }", "operationName": "\\ud800"}',
        b'{"query": "{ __typename }", "extensions": 1}',
        b'{"query": "\\ud800", "x": ',
        b'{"query": "\\ud800", "variables": ' + b"[" * 100_000,
        b"\xff\xfe",
        b"[" * 100_000,
    ],
)
async def test_malformed_bodies(client: Client, body: bytes) -> None:
    answer = await client.http.post(
        "/graphql", content=body, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code in (200, 400)
    code = answer.json()["errors"][0]["extensions"]["code"]
    assert code in ("BAD_REQUEST", "GRAPHQL_VALIDATION_FAILED")


@pytest.mark.parametrize(
    ("query", "variables", "code"),
    [
        ("\ud800", {}, "GRAPHQL_PARSE_FAILED"),
        ('{ node(id: "\ud800") { id } }', {}, "GRAPHQL_PARSE_FAILED"),
        (
            "query ($x: Int) { a: node(id: $x) { id } }",
            {"x": "\ud800"},
            "GRAPHQL_VALIDATION_FAILED",
        ),
        ("query ($x: Boolean!) { node(id: 1) @skip(if: $x) { id } }", {"x": "\ud800"}, "BAD_INPUT"),
        ("query ($x: String!) { __type(name: $x) { name } }", {"x": "\ud800"}, None),
        ("query ($x: ID!) { node(id: $x) { id } }", {"x": "\ud800"}, "UNAUTHENTICATED"),
    ],
)
async def test_halves_of_characters(
    client: Client, query: str, variables: dict[str, str], code: str | None
) -> None:
    body = json.dumps({"query": query, "variables": variables}).encode()
    headers = {"Content-Type": "application/json"}
    answer = await client.http.post("/graphql", content=body, headers=headers)
    codes = [error["extensions"]["code"] for error in answer.json().get("errors", [])]
    assert codes == ([code] if code else [])


async def test_forms_are_refused(client: Client) -> None:
    # What a page of another site can send without being asked first.
    for body in ({"data": {"query": "{ __typename }"}}, {"files": {"0": b"x"}}):
        answer = await client.http.post("/graphql", **body)
        assert answer.status_code == 400


async def test_methods(client: Client) -> None:
    assert (await client.http.put("/graphql", json={})).status_code == 405
    answer = await client.http.get("/graphql", params={"query": "{ __typename }"})
    assert answer.json() == {"data": {"__typename": "Query"}}


async def test_body_limit(client: Client) -> None:
    big = '{"query": "' + " " * 1_100_000 + '{ __typename }"}'
    headers = {"Content-Type": "application/json"}
    announced = await client.http.post("/graphql", content=big, headers=headers)

    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(big), 100_000):
            yield big[start : start + 100_000].encode()

    streamed = await client.http.post("/graphql", content=chunks(), headers=headers)
    for answer in (announced, streamed):
        assert answer.status_code == 413
        assert answer.json()["errors"][0]["extensions"]["code"] == "BODY_TOO_LARGE"


@pytest.mark.parametrize("path", ["/graphql", "/healthz", "/nowhere"])
@pytest.mark.parametrize("length", ["99999999", "9" * 5000])
async def test_bodies_that_are_announced_are_not_waited_for(
    client: Client, path: str, length: str
) -> None:
    headers = {"Content-Length": length}
    answer = await client.http.post(path, content=b"not as much", headers=headers)
    assert answer.status_code == 413
    assert answer.headers["x-request-id"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/graphql", 400),
        ("PUT", "/graphql", 405),
        ("GET", "/nowhere", 404),
        ("POST", "/healthz", 405),
        ("GET", "/graphql/", 307),
        ("OPTIONS", "/graphql", 405),
    ],
)
async def test_every_answer_has_an_id(client: Client, method: str, path: str, status: int) -> None:
    for origin in ({}, {"Origin": "https://elsewhere.example"}):
        answer = await client.http.request(method, path, headers=origin)
        assert answer.status_code == status
        assert len(answer.headers["x-request-id"]) == 32
        assert answer.headers["vary"] == "Origin"


async def test_request_id(client: Client) -> None:
    async def request_id(**headers: str) -> str:
        return (await client.http.get("/healthz", headers=headers)).headers["x-request-id"]

    assert await request_id(**{"X-Request-Id": "abc-1"}) == "abc-1"
    forged = await request_id(**{"X-Request-Id": "a b\tc"})
    assert len(forged) == 32
    assert await request_id() != await request_id()


async def test_faults_of_ours_show_no_internals(
    cast: Cast, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    acme = await cast.tenant("acme")
    ada = await cast.person("ada", acme)
    await cast.member(acme, ada.id)
    await cast.connection.execute("ALTER TABLE conversations RENAME COLUMN title TO caption")
    query = "{ conversations(first: 1) { nodes { id } } }"
    with caplog.at_level(logging.ERROR, "parley.graphql"):
        answer = await client.signed_in(ada).post(query)
    error: dict[str, Any] = answer.json()["errors"][0]
    assert error["message"] == "Internal error."
    assert error["extensions"]["code"] == "INTERNAL"
    assert error["extensions"]["requestId"] == answer.headers["x-request-id"]
    assert b"title" not in answer.content
    assert error["extensions"]["requestId"] in caplog.text
    assert "UndefinedColumnError" in caplog.text


async def test_while_the_database_is_away(
    cast: Cast, client: Client, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    ada = await cast.person("ada")
    admin = await asyncpg.connect(user="postgres", database="postgres", host=str(database.socket))
    assert (await client.http.get("/readyz")).status_code == 200
    await admin.execute(f"ALTER DATABASE {database.name} ALLOW_CONNECTIONS false")
    await admin.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'parley_app'"
        " AND datname = $1",
        database.name,
    )
    assert (await client.http.get("/healthz")).status_code == 200
    assert (await client.http.get("/readyz")).status_code == 503
    with caplog.at_level(logging.CRITICAL):
        answer = await client.signed_in(ada).post("{ viewer { user { id } } }")
    assert answer.status_code == 500
    assert answer.json()["errors"][0]["extensions"]["code"] == "INTERNAL"
    await admin.execute(f"ALTER DATABASE {database.name} ALLOW_CONNECTIONS true")
    assert (await client.http.get("/readyz")).status_code == 200
    await client.signed_in(ada).ask("{ viewer { user { id } } }")
    await admin.close()


async def test_a_client_that_hangs_up_stops_its_statement(cast: Cast, database: Database) -> None:
    acme = await cast.tenant("acme")
    ada = await cast.person("ada", acme)
    await cast.member(acme, ada.id)
    watcher = await database.connect("postgres")

    async def statements() -> int:
        count: int = await watcher.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE usename = 'parley_app'"
            " AND datname = current_database() AND state <> 'idle'"
        )
        return count

    async def until(wanted: int) -> None:
        async with asyncio.timeout(10):
            while await statements() != wanted:
                await asyncio.sleep(0.02)

    app = create_app(SETTINGS.model_copy(update={"database_url": database.url("parley_app")}))
    with serving(app) as address:
        async with cast.connection.transaction(), httpx.AsyncClient(base_url=address) as http:
            # What waits for this lock waits until the client is gone.
            await cast.connection.execute("LOCK TABLE conversations IN ACCESS EXCLUSIVE MODE")
            impatient = Client(http).signed_in(ada)
            request = asyncio.create_task(
                impatient.post("{ conversations(first: 1) { totalCount } }")
            )
            await until(1)
            request.cancel()
            await until(0)
    await watcher.close()


def test_json_of_what_is_json_already() -> None:
    rows = Fragment('{"a":["ü"]}'.encode())
    assert to_json({"data": rows}) == '{"data":{"a":["ü"]}}'.encode()
    assert json.loads(to_json([rows, "\ud800"])) == [{"a": ["ü"]}, "\ud800"]

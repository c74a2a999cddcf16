import asyncio
import os
import sys

import httpx
import pytest

from core.settings import Settings
from server.app import create_app
from tests.conftest import Database


async def start(database_url: str) -> tuple[int, str]:
    """The exit code of a server that cannot start, and what it says."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "uvicorn", "--factory", "server.app:create_app", "--port", "0"),
        env=os.environ | {"PARLEY_DATABASE_URL": database_url},
        stderr=asyncio.subprocess.PIPE,
    )
    _, stderr = await asyncio.wait_for(process.communicate(), 30)
    return process.returncode or 0, stderr.decode()


@pytest.mark.parametrize("login", ["postgres", "parley_owner"])
async def test_refuses_a_login_that_bypasses_row_level_security(
    database: Database, login: str
) -> None:
    code, said = await start(database.url(login))
    assert code != 0
    assert f"the login '{login}'" in said
    assert "Traceback" not in said


async def test_an_unreachable_database_is_one_line() -> None:
    code, said = await start("postgresql://parley_app@127.0.0.1:1/parley")
    assert code != 0
    assert "Traceback" not in said
    [line] = [line for line in said.splitlines() if "ERROR" in line and "onnect" in line]
    assert "127.0.0.1" in line


async def test_browser_apps_of_allowed_origins_only(db: Database) -> None:
    app = create_app(Settings(environment="test", allowed_origins=["https://app.example"]))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://parley.test") as http:

        async def allowed(origin: str) -> str | None:
            headers = {
                "Origin": origin,
                "Access-Control-Request-Method": "POST",
                "Access-Control-Request-Headers": "authorization,content-type,x-tenant",
            }
            answer = await http.options("/graphql", headers=headers)
            return dict(answer.headers).get("access-control-allow-origin")

        assert await allowed("https://app.example") == "https://app.example"
        assert await allowed("https://evil.example") is None

"""Several processes behind one socket, as docs/operations.md starts them."""

import asyncio

import httpx
import psutil
import pytest

from tests.conftest import Database
from tests.graph import Cast
from tests.server.pair import WHO
from tests.server.processes import LONG, bearer, processes, token_of

WORKERS, AT_ONCE = 2, 16


def _busy(server: psutil.Process, port: int) -> int:
    """How many of its processes hold connections of clients."""
    return sum(
        any(
            connection.laddr.port == port and connection.status == psutil.CONN_ESTABLISHED
            for connection in process.net_connections("tcp")
        )
        for process in server.children()
    )


async def test_all_workers_answer(
    cast: Cast, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEB_CONCURRENCY", str(WORKERS))  # as uvicorn --workers
    person = await cast.person("ada")
    async with processes(database, 1) as [server], asyncio.timeout(LONG):
        parent, address = psutil.Process(server.process.pid), server.http.base_url
        busy = 0
        while busy < WORKERS:
            async with httpx.AsyncClient(
                base_url=address, headers=bearer(token_of(person)), verify=False, trust_env=False
            ) as client:
                asked = [client.post("/graphql", json={"query": WHO}) for _ in range(AT_ONCE)]
                for answer in await asyncio.gather(*asked):
                    assert answer.json() == {"data": {"viewer": {"__typename": "Viewer"}}}
                busy = max(busy, _busy(parent, address.port or 0))
    assert not parent.is_running()

"""Rows that come and go while somebody pages: all others are shown, each once."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.graph import START
from tests.schema.connections import Connection, model, of_workspace, orders
from tests.schema.workspace import Workspace

LISTS = orders() | {"documents": of_workspace()["documents"]}
Insert = Callable[[datetime, str], Awaitable[UUID]]


def _inserting(acme: Workspace, name: str) -> Insert:
    async def document(at: datetime, _: str) -> UUID:
        return await acme.document("bob", created_at=at)

    async def talk(at: datetime, title: str) -> UUID:
        return await acme.talk("bob", created_at=at, title=title, last_message_at=at)

    return document if name == "documents" else talk


@pytest.mark.parametrize("name", LISTS)
@given(data=st.data())
@settings(
    deadline=None,
    max_examples=15,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
async def test_none_is_skipped_and_none_comes_twice(
    acme: Workspace, name: str, data: st.DataObject
) -> None:
    connection, source = LISTS[name]
    await acme.cast.connection.execute(f"DELETE FROM {source.table}")
    insert = _inserting(acme, name)
    times = st.integers(0, 5).map(lambda n: START + timedelta(seconds=n))
    titles = st.text("abc", min_size=1, max_size=2)
    for _ in range(data.draw(st.integers(1, 8))):
        await insert(data.draw(times), data.draw(titles))
    before = await model(acme.cast, source)

    async def change() -> None:
        for _ in range(data.draw(st.integers(0, 2))):
            await insert(data.draw(times), data.draw(titles))
        for gone in data.draw(st.lists(st.integers(0, 7), max_size=2)):
            await acme.cast.connection.execute(
                f"DELETE FROM {source.table} WHERE id IN"
                f" (SELECT id FROM {source.table} ORDER BY id OFFSET $1 LIMIT 1)",
                gone,
            )

    forward, size = data.draw(st.booleans()), data.draw(st.integers(1, 3))
    found = await _walk(acme, connection, size, forward=forward, between=change)
    after = await model(acme.cast, source)
    assert len(found) == len(set(found))
    stayed = [id for id in before if id in after]
    assert [id for id in found if id in stayed] == stayed


async def _walk(
    acme: Workspace,
    connection: Connection,
    size: int,
    *,
    forward: bool,
    between: Callable[[], Awaitable[None]],
) -> list[str]:
    found: list[str] = []
    cursor = None
    while True:
        arguments = (
            {"first": size, "after": cursor} if forward else {"last": size, "before": cursor}
        )
        page = await connection.page(acme.by("bob"), **arguments)
        ids, info = [node["id"] for node in page["nodes"]], page["pageInfo"]
        found = found + ids if forward else ids + found
        if not info["hasNextPage" if forward else "hasPreviousPage"]:
            return found
        cursor = info["endCursor" if forward else "startCursor"]
        await between()

"""Pages of every connection, against a plain list."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.schema.places import NAMES, SIZE, Places

pytestmark = pytest.mark.asyncio(loop_scope="module")


@given(data=st.data())
@settings(deadline=None, max_examples=100)
async def test_any_page(places: Places, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(NAMES))
    rows, cursors = places.models[name], places.cursors[name]
    place = st.none() | st.integers(0, len(rows) - 1) if rows else st.none()
    after, before = data.draw(place), data.draw(place)
    limit, forward = data.draw(st.integers(1, SIZE + 2)), data.draw(st.booleans())
    page = await places.connections[name].page(
        places.by(name),
        **{"first" if forward else "last": limit},
        after=None if after is None else cursors[after],
        before=None if before is None else cursors[before],
    )
    window = rows[0 if after is None else after + 1 : before]
    expected = window[:limit] if forward else window[-limit:]
    assert [node["id"] for node in page["nodes"]] == expected
    assert [edge["node"] for edge in page["edges"]] == page["nodes"]
    shown = [edge["cursor"] for edge in page["edges"]]
    assert shown == [cursors[rows.index(id)] for id in expected]
    assert page["pageInfo"] == {
        "hasNextPage": len(window) > limit if forward else before is not None,
        "hasPreviousPage": after is not None if forward else len(window) > limit,
        "startCursor": shown[0] if shown else None,
        "endCursor": shown[-1] if shown else None,
    }
    assert page["totalCount"] == len(rows)


@pytest.mark.parametrize("name", NAMES)
async def test_walks_give_the_list(places: Places, name: str) -> None:
    rows = places.models[name]
    assert (len(rows) > SIZE // 2) == (name != "nothing")
    for size in (1, 5, len(rows), len(rows) + 1):
        if size:
            assert await _forward(places, name, size) == rows
            assert await _backward(places, name, size) == rows


async def _forward(places: Places, name: str, size: int) -> list[str]:
    found: list[str] = []
    info = {"hasNextPage": True, "endCursor": None}
    while info["hasNextPage"]:
        page = await places.connections[name].page(
            places.by(name), first=size, after=info["endCursor"]
        )
        found += [node["id"] for node in page["nodes"]]
        info = page["pageInfo"]
    return found


async def _backward(places: Places, name: str, size: int) -> list[str]:
    found: list[str] = []
    info = {"hasPreviousPage": True, "startCursor": None}
    while info["hasPreviousPage"]:
        page = await places.connections[name].page(
            places.by(name), last=size, before=info["startCursor"]
        )
        found[:0] = [node["id"] for node in page["nodes"]]
        info = page["pageInfo"]
    return found


@pytest.mark.parametrize("name", NAMES)
async def test_one_of_first_and_last_from_1_to_100(places: Places, name: str) -> None:
    connection, client = places.connections[name], places.by(name)
    refused: list[dict[str, Any]] = [
        {},
        {"first": None},
        {"first": 1, "last": 1},
        {"first": 0, "last": 0},
        *({argument: n} for argument in ("first", "last") for n in (0, -1, 101, -(2**31))),
        *({argument: 2**31 - 1} for argument in ("first", "last")),
    ]
    for arguments in refused:
        assert await connection.codes(client, **arguments) == ["BAD_INPUT"], arguments
    for argument in ("first", "last"):
        for n in (1, 100):
            assert await connection.codes(client, **{argument: n}) == [], n
        for no_int in (2**31, "1", 1.5, True):
            assert await connection.codes(client, **{argument: no_int}) != [], no_int

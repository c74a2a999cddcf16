"""JSON as PostgreSQL holds it: its numbers have no limit."""

import json
import math
from typing import Any

import pytest

from tables.engine import DB, Row
from tests.conftest import Database

BEYOND_A_DOUBLE = "1e400"


async def _read(db: Database, text: str) -> Any:
    async with DB.identity():
        rows = await DB.fetch(Row, f"SELECT '{text}'::jsonb AS json")
    return rows[0].json


@pytest.mark.parametrize("beside", [BEYOND_A_DOUBLE, "0"])
@pytest.mark.parametrize("number", [2**53 + 1, -(2**53) - 1, 2**63, 2**64 - 1, -(2**63), 0])
async def test_integers_are_exact_whatever_stands_beside_them(
    db: Database, number: int, beside: str
) -> None:
    read = (await _read(db, f"[{number}, {beside}]"))[0]
    assert (read, type(read)) == (number, int)


@pytest.mark.parametrize("beside", [BEYOND_A_DOUBLE, "0"])
@pytest.mark.parametrize("number", [2**64, -(2**63) - 1, 10**30])
async def test_integers_beyond_64_bits_are_doubles(db: Database, number: int, beside: str) -> None:
    read = (await _read(db, f"[{number}, {beside}]"))[0]
    assert (read, type(read)) == (float(number), float)


@pytest.mark.parametrize("number", [BEYOND_A_DOUBLE, "1" + "0" * 400, "1" + "0" * 5000])
async def test_numbers_beyond_a_double_are_infinite(db: Database, number: str) -> None:
    assert await _read(db, f"[{number}, -{number}]") == [math.inf, -math.inf]


@pytest.mark.parametrize("value", [{}, {"a": [1, None, 'ü\\"']}, [], "text", 0, True])
async def test_json_comes_back_as_it_was_written(db: Database, value: Any) -> None:
    """Alone, in an array, and in a record."""
    sql = "SELECT $1::jsonb AS json, ARRAY[$1, NULL] AS array, ROW(1, $1, NULL::jsonb) AS record"
    written = json.dumps(value) if isinstance(value, str) else value  # text is JSON already
    async with DB.identity():
        (row,) = await DB.fetch(Row, sql, written)
    assert (row.json, row.array, row.record) == (value, [value, None], (1, value, None))


async def test_null_is_no_json(db: Database) -> None:
    async with DB.identity():
        (row,) = await DB.fetch(Row, "SELECT $1::jsonb AS none, 'null'::jsonb AS null", None)
    assert (row.none, row.null) == (None, None)

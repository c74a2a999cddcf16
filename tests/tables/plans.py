"""How PostgreSQL runs what the application asks: which indexes, and how much it looks at."""

import asyncio
import re
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import asyncpg
import orjson
import pytest

from tables.engine import DB, Row, TenantEngine

MODES = ("auto", "force_generic_plan")
AS_IT_IS = ""
"""The mode that the scope has."""

OFTEN = 10
"""By then PostgreSQL has chosen between a plan for the values and one for all values."""

UNSEEN = """
    SELECT oid::regclass::text FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relallvisible < relpages
"""


async def vacuum(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Until each page is known to be seen by all: a snapshot elsewhere, as autovacuum's own, holds
    that back, and an index-only scan then looks up each row."""
    async with asyncio.timeout(60):
        await connection.execute("VACUUM ANALYZE")
        while unseen := await connection.fetch(UNSEEN):
            await asyncio.sleep(0.1)
            await connection.execute(f"VACUUM {', '.join(table for (table,) in unseen)}")


def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Sequence[object]]]:
    """Fills with what the application asks from now on."""
    statements: list[tuple[str, Sequence[object]]] = []
    fetch = TenantEngine.fetch

    async def fetch_noted(
        self: TenantEngine, row: Any, query: str, *args: object, **how: bool
    ) -> Any:
        statements.append((query, args))
        return await fetch(self, row, query, *args, **how)

    monkeypatch.setattr(TenantEngine, "fetch", fetch_noted)
    return statements


async def plan(statement: str, values: Sequence[object], mode: str) -> str:
    """Of a statement that has run often, as it runs in the scope."""
    literals = ", ".join(map(_literal, values))
    if mode != AS_IT_IS:
        await DB.execute(f"SET LOCAL plan_cache_mode = {mode}")
    await DB.execute(f"PREPARE listed AS {statement}")
    for _ in range(OFTEN):
        await DB.execute(f"EXECUTE listed({literals})")
    lines = await DB.fetch(Row, f"EXPLAIN (ANALYZE, BUFFERS) EXECUTE listed({literals})")
    await DB.execute("DEALLOCATE listed")
    return "\n".join(line[0] for line in lines)


def _literal(value: object) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, list):
        kind = "uuid" if value and isinstance(value[0], UUID) else "text"
        return f"ARRAY[{', '.join(map(_literal, value))}]::{kind}[]"
    return f"'{orjson.dumps(value).decode() if isinstance(value, dict) else value}'"


def indexes(plan: str) -> set[str]:
    """Names; "scan" for what uses none."""
    found = re.findall(r"(?:using|Index Scan on|Index Only Scan on) (\w+)", plan)
    return {*found, "scan"} if "Seq Scan" in plan else set(found)


def blocks(plan: str) -> int:
    """Of 8 kB, that were looked at."""
    return int(plan.split("shared hit=")[1].split(maxsplit=1)[0])

"""All or nothing, whatever happens meanwhile."""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from core.settings import Settings
from ops.failure import Failure
from ops.tinydb import Summary, import_tinydb
from ops.tinydb.file import CannotImport
from tests.ops.chat_file import HASH, Workbench, chat, message, user

TABLES = ("tenants", "users", "memberships", "conversations", "messages", "audit_events")


async def assert_nothing(bench: Workbench) -> None:
    for table in TABLES:
        assert await bench.rows(f"SELECT FROM {table}") == []


async def until_it_waits(bench: Workbench, task: "asyncio.Task[Summary]") -> None:
    while not await bench.rows("SELECT FROM pg_locks WHERE NOT granted"):
        assert not task.done()
        await asyncio.sleep(0.01)


@asynccontextmanager
async def stuck(bench: Workbench, table: str) -> AsyncIterator["asyncio.Task[Summary]"]:
    """An import that has come as far as writing to `table`, where a lock holds it up."""
    holder = await bench.database.connect()
    try:
        async with holder.transaction():
            await holder.execute(f"LOCK {table} IN SHARE MODE")
            task = asyncio.ensure_future(bench.bring(chat()))
            await until_it_waits(bench, task)
            yield task
    finally:
        await holder.close()


@pytest.mark.parametrize("table", ["users", "messages", "audit_events"])
async def test_a_connection_that_breaks_leaves_nothing(bench: Workbench, table: str) -> None:
    async with stuck(bench, table) as task:
        await bench.rows("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE NOT granted")
        with pytest.raises(CannotImport, match="nothing was imported, trying again is safe"):
            await task
    await assert_nothing(bench)
    assert (await bench.bring(chat())).changed


async def test_an_import_that_is_cancelled_leaves_nothing(bench: Workbench) -> None:
    async with stuck(bench, "messages") as task:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    await assert_nothing(bench)
    assert gc.isenabled()


async def test_a_report_that_cannot_be_written_undoes_the_import(bench: Workbench) -> None:
    bench.report = bench.report.parent / "missing" / "report.jsonl"
    with pytest.raises(CannotImport, match="cannot write the report"):
        await bench.bring(chat() | {"sessions": [None]})
    await assert_nothing(bench)


async def test_the_same_file_at_once(bench: Workbench) -> None:
    summaries = await asyncio.gather(*(bench.bring(chat()) for _ in range(4)))
    assert sorted(summary.changed for summary in summaries) == [False, False, False, True]
    [counts] = await bench.rows("SELECT count(*), max(sequence) AS last FROM messages")
    assert counts == {"count": 3, "last": 3}


async def test_imports_into_one_workspace_take_turns(bench: Workbench) -> None:
    waiting = "SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    async with stuck(bench, "messages") as first:
        second = asyncio.ensure_future(bench.bring(chat()))
        while not await bench.rows(waiting):
            assert not second.done()
            await asyncio.sleep(0.01)
    assert (await first).changed
    assert not (await second).changed


async def test_the_same_people_into_several_workspaces_at_once(bench: Workbench) -> None:
    """They meet on the users, who are global: whoever comes second finds those of the first."""
    people = [user(f"user-{n}", email=f"{n}@example.com") for n in range(50)]
    reports = [bench.report.with_suffix(f".{n}") for n in range(4)]
    file = bench.write({"users": people})
    backwards = file.with_name("backwards.json")
    file.rename(backwards)
    bench.write({"users": people[::-1]})
    summaries = await asyncio.gather(
        *(
            import_tinydb(bench.settings, [file, backwards][n % 2], tenant=f"t{n}", report=report)
            for n, report in enumerate(reports)
        )
    )
    assert [summary.imported["users"] for summary in summaries] == [50] * 4
    [counts] = await bench.rows(
        "SELECT (SELECT count(*) FROM users) AS users, count(*) AS members FROM memberships"
    )
    assert counts == {"users": 50, "members": 200}


async def test_somebody_signs_up_meanwhile(bench: Workbench) -> None:
    """Under the name of one user and with the address of another, not yet visible to the import."""
    rival = await bench.database.connect()
    try:
        async with rival.transaction():
            await rival.execute(
                "INSERT INTO users (username, email, password_hash)"
                " VALUES ('bob', 'ann@example.com', $1)",
                HASH,
            )
            task = asyncio.ensure_future(bench.bring(chat()))
            await until_it_waits(bench, task)
        summary = await task
    finally:
        await rival.close()
    assert summary.imported["users"] == 2
    assert summary.adjusted == {"users.email": 1}
    assert len(bench.reported()) == 1


async def test_somebody_sends_meanwhile(bench: Workbench) -> None:
    """The import waits for the sender's lock and continues after the new message."""
    await bench.bring(chat(2))
    sender = await bench.database.connect()
    try:
        async with sender.transaction():
            await sender.execute(SEND)
            task = asyncio.ensure_future(bench.bring(chat(3)))
            await until_it_waits(bench, task)
        await task
    finally:
        await sender.close()
    rows = await bench.rows("SELECT content, sequence, version FROM messages ORDER BY sequence")
    assert [tuple(row.values()) for row in rows] == [
        ("m0", 1, 1),
        ("m1", 2, 2),
        ("sent", 3, 3),
        ("m2", 4, 4),
    ]


async def test_a_conversation_that_vanishes_meanwhile(bench: Workbench) -> None:
    await bench.bring(chat(2))
    other = await bench.database.connect()
    try:
        async with other.transaction():
            await other.execute("DELETE FROM conversations WHERE source_id = 'c1'")
            task = asyncio.ensure_future(bench.bring(chat(3)))
            await until_it_waits(bench, task)
        with pytest.raises(CannotImport, match="deleted meanwhile"):
            await task
    finally:
        await other.close()
    assert (await bench.bring(chat(3))).imported["messages"] == 3


SEND = """
WITH c AS (
    UPDATE conversations SET message_count = 3, last_sequence = 3, version = 3
     WHERE source_id = 'c1' RETURNING tenant_id, id
)
INSERT INTO messages (tenant_id, conversation_id, sequence, version, role, content)
SELECT tenant_id, id, 3, 3, 'USER', 'sent' FROM c
"""


async def test_a_database_out_of_reach(bench: Workbench, tmp_path: Path) -> None:
    url = f"postgresql://parley_owner@/parley?host={tmp_path}"
    nowhere = Settings(owner_database_url=url)
    with pytest.raises(Failure, match="cannot reach the database"):
        await import_tinydb(nowhere, bench.write(chat()), tenant="acme", report=bench.report)


async def test_a_database_without_tables(bench: Workbench) -> None:
    await bench.rows("DROP TABLE messages CASCADE")
    with pytest.raises(Failure, match="not up to date"):
        await bench.bring(chat())
    assert await bench.rows("SELECT FROM tenants") == []


async def test_a_value_that_no_rule_foresaw_is_one_line_too(bench: Workbench) -> None:
    await bench.rows("ALTER TABLE messages ADD CHECK (content <> 'forbidden')")
    with pytest.raises(CannotImport, match="nothing was imported") as caught:
        await bench.bring(chat() | {"messages": [message("m1", content="forbidden")]})
    assert "\n" not in str(caught.value)
    await assert_nothing(bench)

"""What becomes of sound files, and of one that grows."""

import os
import re
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ops.tinydb import import_tinydb
from ops.tinydb.file import TABLES
from tests.ops import nasty
from tests.ops.chat_file import (
    HASH,
    T0,
    Workbench,
    chat,
    conversation,
    document,
    message,
    session,
    user,
)

MARCH = datetime(2024, 3, 2, tzinfo=UTC)


def after(seconds: float) -> datetime:
    return MARCH + timedelta(seconds=seconds)


async def test_a_sound_file(bench: Workbench) -> None:
    summary = await bench.bring(chat())
    assert summary.imported == {
        "users": 2,
        "documents": 2,
        "conversations": 2,
        "messages": 3,
        "sessions": 1,
    }
    assert summary.changed
    assert (summary.findings, summary.report, bench.report.exists()) == ((), None, False)
    assert await bench.rows("SELECT slug, name FROM tenants") == [{"slug": "acme", "name": "Acme"}]
    assert await bench.rows("SELECT username, email, password_hash, created_at FROM users") == [
        {"username": "ann", "email": "ann@example.com", "password_hash": HASH, "created_at": MARCH},
        {"username": "bob", "email": None, "password_hash": HASH, "created_at": MARCH},
    ]


async def test_conversations(bench: Workbench) -> None:
    tables = chat(0)
    tables["messages"] = [
        message("m1", timestamp=T0 + 9, role="bot"),
        message("m2", timestamp=T0 + 5, token_count=3, metadata={"a": 1}, used_documents=["d2"]),
        message("m3", role="system", timestamp=None),
    ]
    summary = await bench.bring(tables)
    assert summary.messages_without_timestamp == 1
    assert await bench.rows(
        """SELECT c.short_id, c.source_id, c.title, u.username, c.message_count, c.last_sequence,
            c.version, c.last_message_at, c.created_at, c.updated_at, p.last_read_sequence,
            p.read_count, p.user_id = c.owner_id AS owned
        FROM conversations c JOIN users u ON u.id = c.owner_id
        JOIN participants p ON p.conversation_id = c.id ORDER BY c.source_id LIMIT 1"""
    ) == [
        {
            "short_id": "c1",
            "source_id": "c1",
            "title": "Hello",
            "username": "ann",
            "message_count": 3,
            "last_sequence": 3,
            "version": 3,
            "last_message_at": after(9),
            "created_at": MARCH,
            "updated_at": after(9),
            "last_read_sequence": 3,
            "read_count": 3,
            "owned": True,
        }
    ]
    assert await bench.rows(
        """SELECT m.source_id, sequence, version, m.role, username, content, token_count,
            m.metadata, m.created_at, m.updated_at
        FROM messages m LEFT JOIN users u ON u.id = author_id ORDER BY sequence"""
    ) == [
        {
            "source_id": id,
            "sequence": place,
            "version": place,
            "role": role,
            "username": author,
            "content": id,
            "token_count": tokens,
            "metadata": metadata,
            "created_at": after(seconds),
            "updated_at": after(seconds),
        }
        for id, place, role, author, tokens, metadata, seconds in [
            ("m2", 1, "USER", "ann", 3, '{"a": 1}', 5),
            ("m3", 2, "SYSTEM", None, None, "{}", 5),
            ("m1", 3, "ASSISTANT", None, None, "{}", 9),
        ]
    ]


async def test_keys_sort_by_the_time_of_their_rows(bench: Workbench) -> None:
    await bench.bring(chat())
    for table in ("users", "conversations", "messages", "documents", "sessions"):
        for row in await bench.rows(f"SELECT id, created_at FROM {table}"):
            assert UUID(str(row["id"])).version == 7
            assert UUID(str(row["id"])).int >> 80 == row["created_at"].timestamp() * 1000


async def test_the_last_times_have_keys_too(bench: Workbench) -> None:
    far = message("m1", timestamp="9999-12-30T00:00:00Z")
    await bench.bring({"users": [user()], "conversations": [conversation()], "messages": [far]})
    [row] = await bench.rows("SELECT id, created_at FROM messages")
    assert UUID(str(row["id"])).int >> 80 == row["created_at"].timestamp() * 1000
    assert row["created_at"].year == 9999


async def test_short_ids(bench: Workbench) -> None:
    ids = ["c1", "a/b", "x" * 65, "ü", "-_"]
    await bench.bring({"users": [user()], "conversations": [conversation(id) for id in ids]})
    rows = await bench.rows("SELECT source_id, short_id FROM conversations")
    short = {row["source_id"]: row["short_id"] for row in rows}
    assert {id for id in ids if short[id] == id} == {"c1", "-_"}
    assert all(len(value) <= 64 and value.isascii() for value in short.values())


async def test_a_short_id_that_is_taken(bench: Workbench) -> None:
    await bench.bring({"users": [user()], "conversations": [conversation("old")]})
    await bench.rows("UPDATE conversations SET short_id = 'c1' RETURNING 1")
    await bench.bring({"conversations": [conversation("c1")]})
    [row] = await bench.rows("SELECT short_id FROM conversations WHERE source_id = 'c1'")
    assert row["short_id"] != "c1"


async def test_documents(bench: Workbench) -> None:
    tags = {"tags": ["faq"], "lang": "en"}
    tables = chat(0) | {
        "documents": [document("d1", metadata=tags), document("d2", "nobody"), document("d3")],
        "messages": [
            message("m1", used_documents=["d3", "d1", "d3"]),
            message("m2", used_documents=["nowhere", "d1"]),
        ],
    }
    summary = await bench.bring(tables)
    assert summary.adjusted == {"documents.username": 1, "messages.used_documents": 1}
    assert await bench.rows(
        """SELECT source_id, filename, content_type, content, size, metadata, tags, username
        FROM documents d LEFT JOIN users u ON u.id = owner_id ORDER BY source_id LIMIT 2"""
    ) == [
        {
            "source_id": id,
            "filename": "a.md",
            "content_type": "text/markdown",
            "content": "é",
            "size": 2,
            "metadata": metadata,
            "tags": tags,
            "username": name,
        }
        for id, metadata, tags, name in [
            ("d1", '{"lang": "en"}', ["faq"], "ann"),
            ("d2", "{}", [], None),
        ]
    ]
    assert await bench.rows(
        """SELECT m.source_id AS message, d.source_id AS document FROM message_documents md
        JOIN messages m ON m.id = message_id JOIN documents d ON d.id = document_id
        ORDER BY m.source_id, position"""
    ) == [
        {"message": "m1", "document": "d3"},
        {"message": "m1", "document": "d1"},
        {"message": "m2", "document": "d1"},
    ]


async def test_sessions_are_over(bench: Workbench) -> None:
    await bench.bring(chat())
    assert await bench.rows(
        """SELECT s.source_id, username, slug, s.created_at, last_activity_at,
            expires_at, revoked_at
        FROM sessions s JOIN users u ON u.id = user_id JOIN tenants t ON t.id = home_tenant_id"""
    ) == [
        {
            "source_id": "s1",
            "username": "ann",
            "slug": "acme",
            "created_at": MARCH,
            **dict.fromkeys(("last_activity_at", "expires_at", "revoked_at"), after(60)),
        }
    ]


async def test_a_session_id_is_unique_per_user(bench: Workbench) -> None:
    tables = chat(0) | {"sessions": [session("s1"), session("s1", "bob"), session("s1", " ANN ")]}
    summary = await bench.bring(tables)
    assert (summary.imported["sessions"], summary.duplicates) == (2, {"sessions": 1})


async def test_a_second_run_changes_nothing_and_says_so(bench: Workbench) -> None:
    await bench.bring(chat())
    before = await bench.everything()
    again = await bench.bring(chat())
    assert not again.changed
    assert not any(again.imported.values())
    assert again.already_there["messages"] == 3
    assert "nothing was changed" in "\n".join(again.lines())
    assert await bench.everything() == before


async def test_what_was_changed_since_stays_changed(bench: Workbench) -> None:
    await bench.bring(chat())
    await bench.rows("UPDATE messages SET deleted_at = now() RETURNING 1")
    await bench.rows("UPDATE conversations SET title = 'Mine', deleted_at = now() RETURNING 1")
    before = await bench.everything()
    assert not (await bench.bring(chat())).changed
    assert await bench.everything() == before


async def test_a_conversation_that_grew(bench: Workbench) -> None:
    await bench.bring(chat(2))
    sent = "UPDATE conversations SET version = 7 WHERE source_id = 'c1' RETURNING 1"
    await bench.rows(sent)  # edited five times since
    grown = chat(2)
    grown["messages"] += [
        message("late", timestamp=T0 - 60),
        message("last", timestamp=None),
        message("next", timestamp=T0 + 100),
    ]
    summary = await bench.bring(grown)
    assert summary.imported["messages"] == 3
    assert await bench.rows(
        "SELECT source_id, sequence, version, created_at FROM messages ORDER BY sequence"
    ) == [
        {"source_id": id, "sequence": sequence, "version": version, "created_at": after(seconds)}
        for id, sequence, version, seconds in [
            ("m0", 1, 1, 0),
            ("m1", 2, 2, 1),
            ("late", 3, 8, -60),
            ("last", 4, 9, 20),
            ("next", 5, 10, 100),
        ]
    ]
    assert await bench.rows(
        """SELECT message_count, last_sequence, version, last_message_at, last_read_sequence,
            read_count FROM conversations c JOIN participants p ON p.conversation_id = c.id
        WHERE c.source_id = 'c1'"""
    ) == [
        {
            "message_count": 5,
            "last_sequence": 5,
            "version": 10,
            "last_message_at": after(100),
            "last_read_sequence": 5,
            "read_count": 5,
        }
    ]
    assert not (await bench.bring(grown)).changed


async def test_growth_keeps_unread_what_was_unread(bench: Workbench) -> None:
    await bench.bring(chat(2))
    await bench.rows("UPDATE participants SET last_read_sequence = 1, read_count = 1 RETURNING 1")
    await bench.bring(chat(3))
    rows = await bench.rows("SELECT last_read_sequence, read_count FROM participants")
    assert rows == [{"last_read_sequence": 1, "read_count": 1}] * 2


async def test_a_file_with_some_tables_refers_to_the_workspace(bench: Workbench) -> None:
    await bench.bring({"users": [user()], "documents": [document()]})
    await bench.bring({"conversations": [conversation("c1", " ANN ")]})
    summary = await bench.bring(
        {"messages": [message("m1", used_documents=["d1"])], "sessions": [session()]}
    )
    assert not summary.findings
    assert await bench.rows(
        "SELECT username FROM messages m JOIN users u ON u.id = author_id"
        " JOIN message_documents d ON d.message_id = m.id"
    ) == [{"username": "ann"}]


async def test_references_do_not_reach_into_another_workspace(bench: Workbench) -> None:
    await bench.bring(chat(), "acme")
    summary = await bench.bring(
        {
            "users": [user("cleo")],
            "conversations": [conversation("c9", "ann"), conversation("c8", "cleo")],
            "messages": [message("x1", "c1"), message("x2", "c8", used_documents=["d1"])],
            "sessions": [session("s9", "ann")],
        },
        "umbrella",
    )
    assert summary.rejected == {
        "conversations_without_owner": 1,
        "messages_without_conversation": 1,
        "sessions_without_user": 1,
    }
    assert summary.adjusted == {"messages.used_documents": 1}


async def test_duplicates_and_rejected_rows_stand_in_the_report(bench: Workbench) -> None:
    tables = chat(1)
    tables["users"] += [user(" ANN ", email="other@example.com"), "nobody", {"username": None}]
    tables["conversations"] += [conversation("c3", "nobody"), conversation("c3", "bob")]
    tables["messages"] += [
        message("m0", content="again"),
        message("m1", "nowhere"),
        message("m2", role="tool\ud800\u2028"),
        message("m3", "c3", content="of a conversation whose first row was rejected"),
        message("m4", timestamp=float("nan")),
    ]
    summary = await bench.bring(tables)
    assert summary.duplicates == {"users": 1, "messages": 1}
    assert summary.rejected == {
        "users_not_an_object": 1,
        "users_without_username": 1,
        "conversations_without_owner": 1,
        "messages_without_conversation": 1,
        "messages_with_unknown_role": 1,
    }
    assert summary.adjusted == {"messages.timestamp": 1}
    lines = bench.reported()
    assert [(line["outcome"], line["table"], line["key"]) for line in lines] == [
        ("rejected", "users", "4"),
        ("rejected", "users", "5"),
        ("rejected", "messages", "4"),
        ("adjusted", "messages", "6"),
        ("duplicate", "users", "3"),
        ("rejected", "conversations", "3"),
        ("duplicate", "messages", "2"),
        ("rejected", "messages", "3"),
    ]
    assert all(line["reason"] for line in lines)
    assert lines[0]["row"] == "nobody"
    assert lines[2]["row"]["role"] == "tool\ud800\u2028"
    assert lines[3]["row"]["timestamp"] == "nan"
    assert lines[4]["row"]["email"] == "other@example.com"


async def test_a_report_of_an_earlier_run_goes(bench: Workbench) -> None:
    await bench.bring(chat() | {"users": [user(), user("bob"), None]})
    assert len(bench.reported()) == 1
    await bench.bring(chat())
    assert not bench.report.exists()


async def test_the_report_is_private_and_holds_no_password(bench: Workbench) -> None:
    bench.report.write_text("readable by all")
    bench.report.chmod(0o644)
    odd = user("ann", password_hash="open sesame", email="ann@example.com", extra=float("nan"))
    await bench.bring({"users": [user("ann"), user("ANN"), odd, user("bob", is_active="no")]})
    assert stat.S_IMODE(bench.report.stat().st_mode) == 0o600
    assert [line["row"]["password_hash"] for line in bench.reported()] == ["…"] * 4
    assert not {HASH, "sesame", "readable"} & set(re.split(r"[\s\"]", bench.report.read_text()))


async def test_only_files_are_made_private(bench: Workbench) -> None:
    bench.report = bench.report.with_suffix(".pipe")
    os.mkfifo(bench.report)
    before = bench.report.stat().st_mode
    reader = os.open(bench.report, os.O_RDONLY | os.O_NONBLOCK)
    try:
        await bench.bring(chat() | {"sessions": [None]})
        assert b"sessions_not_an_object" in os.read(reader, 1000)
    finally:
        os.close(reader)
    assert bench.report.stat().st_mode == before


async def test_the_report_stands_here_by_default(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    file = bench.write(chat() | {"sessions": [None]})
    await import_tinydb(bench.settings, file, tenant="acme")
    assert [path.name for path in (tmp_path / "here").iterdir()] == ["chat.rejected.jsonl"]


async def test_what_has_no_place_is_named(bench: Workbench) -> None:
    tables = chat() | {"_default": [{}, {}]}
    tables["users"][0]["shoe\x1bsize"] = 42
    summary = await bench.bring(tables)
    assert summary.left_out == {"_default": 2, "users.shoe\x1bsize": 1}
    assert "left out: '_default' (2), 'users.shoe\\x1bsize' (1)" in list(summary.lines())


async def test_the_audit_log_tells_of_what_changed_something(bench: Workbench) -> None:
    summary = await bench.bring(chat())
    await bench.bring(chat())
    [event] = await bench.rows("SELECT * FROM audit_events")
    assert (event["action"], event["actor_id"]) == ("import.finished", None)
    assert orjson.loads(event["details"]) == {"file": "chat.json"} | summary.counts()


async def test_the_audit_log_tells_of_what_was_left_out(bench: Workbench) -> None:
    bench.file = bench.file.with_name("ch\udcffat.json")
    await bench.bring(chat() | {"users": [user("ann"), user("bob"), user("ann"), None]})
    [event] = await bench.rows("SELECT * FROM audit_events e JOIN tenants t ON t.id = tenant_id")
    details = orjson.loads(event["details"])
    assert (event["slug"], event["target_id"]) == ("acme", None)
    assert details["file"] == "ch\ufffdat.json"
    assert details["imported"]["users"] == 2
    assert details["already_there"]["users"] == 0
    assert details["duplicates"] == {"users": 1}
    assert details["rejected"] == {"users_not_an_object": 1}


async def test_progress_reaches_the_end_of_every_step(bench: Workbench) -> None:
    steps: dict[str, tuple[int, int]] = {}

    def progress(step: str, done: int, total: int) -> None:
        assert steps.get(step, (0, total)) <= (done, total)
        steps[step] = (done, total)

    await import_tinydb(bench.settings, bench.write(chat()), tenant="acme", progress=progress)
    assert {f"read {table}" for table in TABLES} <= steps.keys()
    assert steps["write messages"] == (3, 3)
    assert all(done == total for done, total in steps.values())


tables_of_odd_rows = st.fixed_dictionaries(
    {table: st.lists(nasty.rows(table), min_size=4, max_size=12) for table in TABLES}
)


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(odd=tables_of_odd_rows)
async def test_every_odd_row_is_imported_or_in_the_report(
    bench: Workbench, odd: dict[str, list[object]]
) -> None:
    [number] = await bench.rows("SELECT count(*) AS n FROM tenants")
    sound = chat()
    tables = {table: [*sound[table], *odd[table]] for table in TABLES}
    tenant = f"t{number['n']}"
    summary = await bench.bring(tables, tenant)
    outcomes = [(line["outcome"], line["table"]) for line in bench.reported()]
    for table in TABLES:
        refused = outcomes.count(("rejected", table)) + outcomes.count(("duplicate", table))
        taken = summary.imported[table] + summary.already_there[table]
        assert taken + refused == len(tables[table])
    assert not (await bench.bring(tables, tenant)).changed

import math
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.text import UNSTORABLE
from ops.tinydb.conversation import read_conversation
from ops.tinydb.document import read_document
from ops.tinydb.fields import MAX_DEPTH, Fields, Rejected, microseconds, storable_json
from ops.tinydb.message import read_message
from ops.tinydb.session import read_session
from ops.tinydb.user import read_user
from tests.ops import chat_file, nasty

READERS: dict[str, Callable[[Fields], Any]] = {
    "users": read_user,
    "documents": read_document,
    "conversations": read_conversation,
    "messages": read_message,
    "sessions": read_session,
}


def read(table: str, row: object) -> tuple[Any, list[str]]:
    """The record, and the codes of its notes."""
    fields = Fields(table, row)
    record = READERS[table](fields)
    return record, [code for code, _ in fields.notes]


def rejection(table: str, row: object) -> str:
    with pytest.raises(Rejected) as caught:
        read(table, row)
    assert "\n" not in caught.value.reason
    return caught.value.code


@pytest.mark.parametrize("table", READERS)
@given(data=st.data())
def test_any_value_becomes_a_storable_record_or_is_rejected(
    table: str, data: st.DataObject
) -> None:
    row = data.draw(nasty.rows(table))
    try:
        record, _ = read(table, row)
    except Rejected as error:
        assert error.code.startswith(f"{table}_")  # noqa: PT017
        return
    for value in record:
        for text in value if isinstance(value, list | tuple) else [value]:
            assert not isinstance(text, str) or not UNSTORABLE.search(text)


@given(nasty.values)
def test_mended_json_can_be_written_and_read_back(value: object) -> None:
    faults: set[str] = set()
    mended = storable_json(value, faults)
    again: set[str] = set()
    storable_json(orjson.loads(orjson.dumps(mended)), again)
    assert not again
    assert faults or mended == value


def test_sound_rows_leave_no_note() -> None:
    for table, row in nasty.SOUND.items():
        assert read(table, row)[1] == []


@pytest.mark.parametrize("row", [None, 7, "text", [], [["username", "ann"]], True])
def test_rows_that_are_no_objects(row: object) -> None:
    assert rejection("users", row) == "users_not_an_object"


@pytest.mark.parametrize(
    ("table", "row", "code"),
    [
        ("users", {"username": None}, "users_without_username"),
        ("users", {"username": 7}, "users_without_username"),
        ("users", {"username": " \t"}, "users_without_username"),
        ("users", {"username": "a\0"}, "users_without_username"),
        ("users", {"username": "\ud800"}, "users_without_username"),
        ("users", {"username": "ß" * 76}, "users_without_username"),  # 152 after casefold
        ("documents", {"document_id": ["d1"]}, "documents_without_document_id"),
        ("documents", {"filename": " "}, "documents_without_filename"),
        ("documents", {"content": {"a": 1}}, "documents_without_content"),
        ("conversations", {"conversation_id": ""}, "conversations_without_conversation_id"),
        ("conversations", {"conversation_id": "c" * 201}, "conversations_without_conversation_id"),
        ("conversations", {"username": None}, "conversations_without_owner"),
        ("messages", {"message_id": 1}, "messages_without_message_id"),
        ("messages", {"conversation_id": None}, "messages_without_conversation"),
        ("messages", {"role": "tool"}, "messages_with_unknown_role"),
        ("messages", {"role": "User"}, "messages_with_unknown_role"),
        ("messages", {"role": ["user"]}, "messages_with_unknown_role"),
        ("messages", {"content": None}, "messages_without_content"),
        ("messages", {"content": 7}, "messages_without_content"),
        ("sessions", {"session_id": None}, "sessions_without_session_id"),
        ("sessions", {"username": {}}, "sessions_without_user"),
    ],
)
def test_rejections(table: str, row: dict[str, object], code: str) -> None:
    assert rejection(table, nasty.SOUND[table] | row) == code


SECOND = 1_000_000
MARCH = chat_file.T0 * SECOND


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2024-03-02T00:00:00+00:00", MARCH),
        ("2024-03-02T01:30:00+01:30", MARCH),
        ("2024-03-02T00:00:00Z", MARCH),
        ("2024-03-02T00:00:00", MARCH),
        (" 2024-03-02 ", MARCH),
        ("20240302", MARCH),
        (chat_file.T0, MARCH),
        (chat_file.T0 + 0.25, MARCH + SECOND // 4),
        ("1709337600", MARCH),
        ("1709337600.25", MARCH + SECOND // 4),
        (0, 0),
    ],
)
def test_times(value: object, expected: int) -> None:
    assert microseconds(value) == expected


@pytest.mark.parametrize(
    "value",
    [
        *(None, True, "", "yesterday", "1e9", [], {}, -1, "-1", -0.5, 1e18, 10**300, "9" * 5000),
        *(math.nan, math.inf, -math.inf, "nan", "0001-01-01T00:00:00+14:00", "1969-12-31"),
        *("9999-12-31T23:59:59-12:00", "2024-02-30", "\ud800", "2024-03-02\0", "٢٠٢٤"),
    ],
)
def test_values_that_are_no_times(value: object) -> None:
    with pytest.raises((ValueError, OverflowError)):
        microseconds(value)


@given(st.datetimes(min_value=datetime(1970, 1, 2), max_value=datetime(9998, 1, 1)))  # noqa: DTZ001
def test_every_way_to_write_a_time_means_the_same(time: datetime) -> None:
    whole = time.replace(microsecond=0, tzinfo=UTC)
    expected = int(whole.timestamp()) * SECOND
    for value in (whole.isoformat(), whole.isoformat().replace("+00:00", "Z"), whole.timestamp()):
        assert microseconds(value) == expected


def test_a_message_without_time_is_no_fault_but_one_with_a_bad_time_is_noted() -> None:
    for missing in ({"timestamp": None}, {"timestamp": ""}):
        record, notes = read("messages", nasty.SOUND["messages"] | missing)
        assert (record.time, notes) == (None, [])
    record, notes = read("messages", nasty.SOUND["messages"] | {"timestamp": math.nan})
    assert (record.time, notes) == (None, ["messages.timestamp"])


def test_message_keeps_fields_that_have_no_column() -> None:
    row = chat_file.message("m1", mood="glad", metadata={"mood": "own", "n": 10**30, "x": "\0"})
    record, notes = read("messages", row)
    assert orjson.loads(record.metadata) == {"mood": "own", "n": "1" + "0" * 30, "x": "\ufffd"}
    assert notes == ["messages.metadata", "messages.metadata"]


@pytest.mark.parametrize("value", [[], "text", 7, True])
def test_metadata_that_is_no_object(value: object) -> None:
    record, notes = read("messages", chat_file.message("m1", metadata=value))
    assert (record.metadata, notes) == ("{}", ["messages.metadata"])


def test_metadata_nested_beyond_reason() -> None:
    row = chat_file.document(metadata={"deep": nasty.nested(MAX_DEPTH + 5)})
    record, notes = read("documents", row)
    assert record.metadata.count("[") == MAX_DEPTH
    assert notes == ["documents.metadata"]


def test_text_that_postgresql_cannot_hold_is_mended() -> None:
    record, notes = read("messages", chat_file.message("m1", content="a\0b\ud800c"))
    assert (record.content, notes) == ("a\ufffdb\ufffdc", ["messages.content"])


@pytest.mark.parametrize(
    ("value", "expected", "noted"),
    [
        *((7, 7, False), (7.0, 7, False), ("7", 7, False), (None, None, False), (0, 0, False)),
        *((True, None, True), (-1, None, True), (2**31, None, True), (0.5, None, True)),
        *((math.nan, None, True), (math.inf, None, True), ("many", None, True), ([], None, True)),
    ],
)
def test_token_counts(value: object, expected: int | None, noted: bool) -> None:
    record, notes = read("messages", chat_file.message("m1", token_count=value))
    assert (record.token_count, bool(notes)) == (expected, noted)


@pytest.mark.parametrize(
    ("value", "expected", "noted"),
    [
        (["d2", "d1", "d2"], ["d2", "d1"], False),
        (None, [], False),
        ("d1", ["d1"], True),
        ({"d1": 1}, [], True),
        (["d1", 7, None, "a\0"], ["d1"], True),
    ],
)
def test_used_documents(value: object, expected: list[str], noted: bool) -> None:
    record, notes = read("messages", chat_file.message("m1", used_documents=value))
    assert (record.documents, bool(notes)) == (expected, noted)


@pytest.mark.parametrize(
    ("value", "expected", "noted"),
    [
        *(("", "Untitled", False), (None, "Untitled", False), ("  ", "Untitled", False)),
        *((" Hi ", "Hi", False), (7, "Untitled", True), ("x" * 500, "x" * 500, False)),
        *(("x" * 501, "x" * 500, True), ("\0", "\ufffd", True)),
    ],
)
def test_titles(value: object, expected: str, noted: bool) -> None:
    record, notes = read("conversations", chat_file.conversation(title=value))
    assert (record.title, bool(notes)) == (expected, noted)


@pytest.mark.parametrize(
    ("metadata", "tags", "rest", "noted"),
    [
        ({"tags": ["b", "a", "b"], "n": 1}, ["b", "a"], {"n": 1}, False),
        ({"tags": []}, [], {}, False),
        ({"tags": None}, [], {"tags": None}, False),
        ({"tags": "faq"}, [], {"tags": "faq"}, True),
        ({"tags": ["a", 7, ""]}, ["a"], {"tags": ["a", 7, ""]}, True),
        ({"tags": ["t" * 201]}, [], {"tags": ["t" * 201]}, True),
    ],
)
def test_tags(
    metadata: dict[str, object], tags: list[str], rest: dict[str, object], noted: bool
) -> None:
    record, notes = read("documents", chat_file.document(metadata=metadata))
    assert (record.tags, orjson.loads(record.metadata), bool(notes)) == (tags, rest, noted)


@pytest.mark.parametrize(
    ("value", "usable", "noted"),
    [
        (chat_file.HASH, True, False),
        (chat_file.HASH.upper().replace("PBKDF2_SHA256", "pbkdf2_sha256"), True, False),
        *((None, False, False), ("", False, False), (7, False, True), ("secret", False, True)),
        ("pbkdf2_sha256$100000$salt$" + "0a" * 31, False, True),
        ("pbkdf2_sha256$99999999$salt$" + "0a" * 32, False, True),  # a minute per sign-in
        ("pbkdf2_sha256$0$salt$" + "0a" * 32, False, True),
        ("pbkdf2_sha256$1$a\0b$" + "0a" * 32, False, True),
        (chat_file.HASH + "\n", False, True),
        ("bcrypt$12$salt$" + "0a" * 32, False, True),
    ],
)
def test_password_hashes(value: object, usable: bool, noted: bool) -> None:
    record, notes = read("users", chat_file.user(password_hash=value))
    assert (record.password_hash is not None, bool(notes)) == (usable, noted)


@pytest.mark.parametrize(
    ("value", "expected", "noted"),
    [
        *((True, True, False), (False, False, False), (1, True, False), (0, False, False)),
        *((None, True, False), ("no", False, True), (2, False, True), ([], False, True)),
    ],
)
def test_an_unclear_is_active_locks(value: object, expected: bool, noted: bool) -> None:
    record, notes = read("users", chat_file.user(is_active=value))
    assert (record.is_active, bool(notes)) == (expected, noted)


@pytest.mark.parametrize(
    ("value", "expected", "noted"),
    [
        (" Ann@Example.COM ", "ann@example.com", False),
        *(("", None, False), (None, None, False), ("ann", None, True), (7, None, True)),
        *(("a@b@c", None, True), ("a\0@b", None, True), ("a" * 255 + "@b", None, True)),
    ],
)
def test_emails(value: object, expected: str | None, noted: bool) -> None:
    record, notes = read("users", chat_file.user(email=value))
    assert (record.email, bool(notes)) == (expected, noted)

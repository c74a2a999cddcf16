import json
import os
from pathlib import Path

import pytest

from ops.tinydb.file import CannotImport, Repeating, read_file
from tests.ops.chat_file import Workbench, chat

SOUND = json.dumps({"users": {"1": {"username": "ann"}}})

UNREADABLE: dict[str, bytes] = {
    "empty": b"",
    "blank": b" \n",
    "cut off": SOUND[:-2].encode(),
    "one byte too many": SOUND.encode() + b"}",
    "two files in one": SOUND.encode() * 2,
    "binary": bytes(range(256)),
    "compressed": b"\x1f\x8b\x08\x00" + b"\0" * 20,
    "latin-1": '{"users": {"1": {"username": "zoé"}}}'.encode("latin-1"),
    "utf-16": SOUND.encode("utf-16"),
    "a broken character": b'{"users": {"1": {"username": "\xc3"}}}',
    "a list": b"[]",
    "a number": b"1",
    "null": b"null",
    "no table": b"{}",
    "only other tables": b'{"_default": {"1": {"username": "ann"}}}',
    "a table that is a list": b'{"users": [{"username": "ann"}]}',
    "a table that is text": b'{"users": {}, "messages": "none"}',
    "nested beyond reading": b'{"users": {"1": ' + b"[" * 100_000 + b"]" * 100_000 + b"}}",
    "a page": b"<!DOCTYPE html><title>404</title>",
}


@pytest.mark.parametrize("content", UNREADABLE.values(), ids=UNREADABLE)
async def test_one_clear_line_and_nothing_written(bench: Workbench, content: bytes) -> None:
    with pytest.raises(CannotImport) as caught:
        await bench.bring(content)
    line = str(caught.value)
    assert str(bench.file) in line
    assert "\n" not in line
    assert len(line) < 300
    assert await bench.rows("SELECT slug FROM tenants") == []
    assert not bench.report.exists()


def test_what_cannot_be_opened(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing", tmp_path / "a\0b"):
        with pytest.raises(CannotImport, match=r"cannot read|not UTF-8"):
            read_file(path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text(SOUND)
    path.chmod(0)
    with pytest.raises(CannotImport, match="Permission denied"):
        read_file(path)


def test_a_byte_order_mark_and_raw_control_characters_are_read(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b'\xef\xbb\xbf{"users": {"1": {"username": "a\tb\0"}}}')
    assert read_file(path).tables == {"users": [("1", {"username": "a\tb\0"})]}


def test_no_row_is_lost_where_names_stand_twice(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text('{"users": {"1": {"a": 1}, "1": {"b": 2, "b": 3}}, "users": {"1": 4}}')
    rows = read_file(path).tables["users"]
    assert rows == [("1", {"a": 1}), ("1", {"b": 3}), ("1", 4)]
    assert isinstance(rows[1][1], Repeating)


def test_numbers_that_python_refuses_to_read(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text('{"users": {"1": ' + "9" * 5000 + ', "2": 1e999, "3": NaN}}')
    [(_, first), (_, second), (_, third)] = read_file(path).tables["users"]
    assert first == second == float("inf")
    assert third != third  # noqa: PLR0124


def test_other_tables_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text('{"users": {}, "_default": {"1": {}, "2": {}}, "version": 7}')
    assert read_file(path).left_out == {"_default": 2, "version": 1}


async def test_the_report_may_not_replace_the_file(bench: Workbench) -> None:
    bench.report = bench.file
    with pytest.raises(CannotImport, match="overwrite"):
        await bench.bring(chat())
    assert "ann" in bench.file.read_text()

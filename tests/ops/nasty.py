"""Rows as no program should write them."""

import math
from typing import Any

from hypothesis import strategies as st

from tests.ops.chat_file import conversation, document, message, session, user


def nested(depth: int) -> object:
    value: object = "bottom"
    for _ in range(depth):
        value = [value]
    return value


VALUES: list[Any] = [
    *(None, "", " ", "\0", "a\0b", "\ud800", "\udfff\ud800", "x" * 600, "é" * 3000, "\x1b[2J"),
    *(True, False, 0, -1, 17, 2**31, 10**30, -(10**300), 0.5, -1e300, math.nan, math.inf),
    *([], {}, [None], ["d1", "d1", "nowhere", 7, "\0"], {"a": {"\0": [math.nan]}}, nested(300)),
    *("1709337600", "20240302", "9" * 30, "1e9", "2024-03-02T00:00:00+00:00", "0001-01-01"),
    *("9999-12-31T23:59:59-12:00", "yesterday", "ANN", " ann ", "ß" * 149, {"tags": "faq"}),
    *({"tags": [1, "", "faq", "faq", "t" * 5000]}, "bot", "tool", "c1", "d1", "ann"),
]

texts = st.text(st.characters(exclude_categories=()), max_size=12)
leaves = st.none() | st.booleans() | st.integers() | st.floats() | texts
values = st.sampled_from(VALUES) | st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4)
)

SOUND = {
    "users": user("cleo", email="cleo@example.com"),
    "documents": document("d3", metadata={"tags": ["faq"], "part": 1}),
    "conversations": conversation("c3"),
    "messages": message("m9", "c3", token_count=3, used_documents=["d1"], metadata={"a": 1}),
    "sessions": session("s3"),
}


def rows(table: str) -> st.SearchStrategy[Any]:
    """Sound rows with some fields replaced, left out or added; or anything at all."""
    changes = st.dictionaries(st.sampled_from([*SOUND[table], "extra"]), values, max_size=3)
    dropped = st.sets(st.sampled_from(list(SOUND[table])), max_size=1)
    return values | st.builds(_changed, st.just(SOUND[table]), changes, dropped)


def _changed(row: dict[str, Any], changes: dict[str, Any], dropped: set[str]) -> dict[str, Any]:
    return {name: value for name, value in (row | changes).items() if name not in dropped}

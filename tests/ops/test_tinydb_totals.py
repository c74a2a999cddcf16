"""What files of some size come to: a made one, and a real one (38,768 messages) where it is at
hand, beside the checkout or where PARLEY_TEST_TINYDB names it."""

import hashlib
import json
import os
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from core.settings import CHECKOUT
from ops.tinydb import Summary, import_tinydb
from ops.tinydb.file import TABLES
from tests.graph import Cast, Client, Person
from tests.ops.big_file import EXPECTED, big_file
from tests.ops.chat_file import Workbench

NAMED = os.environ.get("PARLEY_TEST_TINYDB")
REAL = Path(NAMED or CHECKOUT.parent / "shared" / "data" / "chatcore_tinydb.json")


@dataclass(frozen=True)
class Source:
    file: Path
    expected: dict[str, Any]


@pytest.fixture(params=["made", "real"])
def source(request: pytest.FixtureRequest, bench: Workbench) -> Source:
    if request.param == "made":
        return Source(bench.write(big_file()), EXPECTED)
    if not NAMED and not REAL.exists():
        pytest.skip("the real file is not at hand")
    return Source(REAL, json.loads(REAL.with_suffix(".expected.json").read_text()))


def outcome(summary: Summary) -> dict[str, object]:
    return {
        **{table: summary.imported[table] + summary.already_there[table] for table in TABLES},
        "users_without_password": summary.users_without_password,
        "duplicates": summary.duplicates,
        "rejected": summary.rejected,
        "messages_without_timestamp": summary.messages_without_timestamp,
    }


async def test_two_workspaces_get_what_the_file_holds(bench: Workbench, source: Source) -> None:
    file, expected = source.file, source.expected
    for tenant in ("acme", "umbrella"):
        begun = time.perf_counter()
        summary = await import_tinydb(bench.settings, file, tenant=tenant, report=bench.report)
        print(f"{expected['messages'] / (time.perf_counter() - begun):,.0f} messages a second")
        assert outcome(summary) == expected
        assert summary.imported["users"] == expected["users"]
        assert (await bench.rows(STORED, tenant)) == [
            {name: expected[name] for name in ("users", "conversations", "messages", "documents")}
            | {"counted": expected["messages"]}
        ]
    before = await bench.everything()
    again = await import_tinydb(bench.settings, file, tenant="acme", report=bench.report)
    assert not again.changed
    assert outcome(again) == expected
    assert await bench.everything() == before


TOTALS = """{
    viewer { membership { role } }
    users(first: 1) { totalCount }
    conversations(first: 1) { totalCount }
    documents(first: 1) { totalCount }
}"""
COUNTS = """query ($after: String) { conversations(first: 100, after: $after) {
    pageInfo { hasNextPage endCursor } nodes { messageCount } } }"""


async def test_the_graph_tells_the_same(
    bench: Workbench, source: Source, cast: Cast, client: Client
) -> None:
    await import_tinydb(bench.settings, source.file, tenant="acme", report=bench.report)
    [owner] = await bench.rows("SELECT m.user_id FROM memberships m WHERE m.role = 'OWNER'")
    session = await cast.insert(
        "sessions", user_id=owner["user_id"], expires_at=datetime.now(UTC) + timedelta(hours=1)
    )
    asking = client.signed_in(Person(owner["user_id"], session, ""), "acme")
    totals = await asking.ask(TOTALS)
    assert totals.pop("viewer") == {"membership": {"role": "OWNER"}}
    assert totals == {
        name: {"totalCount": source.expected[name]}
        for name in ("users", "conversations", "documents")
    }
    counted, after, more = 0, None, True
    while more:
        page = (await asking.ask(COUNTS, after=after))["conversations"]
        counted += sum(node["messageCount"] for node in page["nodes"])
        after, more = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]
    assert counted == source.expected["messages"]


STORED = """
SELECT (SELECT count(*) FROM memberships m WHERE m.tenant_id = t.id) AS users,
       (SELECT count(*) FROM conversations c WHERE c.tenant_id = t.id) AS conversations,
       (SELECT count(*) FROM messages m WHERE m.tenant_id = t.id) AS messages,
       (SELECT count(*) FROM documents d WHERE d.tenant_id = t.id) AS documents,
       (SELECT sum(c.message_count) FROM conversations c WHERE c.tenant_id = t.id) AS counted
  FROM tenants t WHERE slug = $1
"""


async def test_passwords_still_verify(bench: Workbench, source: Source) -> None:
    await import_tinydb(bench.settings, source.file, tenant="acme", report=bench.report)
    [row] = await bench.rows("SELECT password_hash FROM users WHERE username LIKE '%user-007'")
    _, rounds, salt, digest = row["password_hash"].split("$")
    known = hashlib.pbkdf2_hmac("sha256", b"password-007", salt.encode(), int(rounds))
    assert known.hex() == digest

import base64
from datetime import UTC
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import BadInput
from resolvers import document_search, membership, message, user
from resolvers.conversation import ConversationOrder
from resolvers.order import Order
from resolvers.paging import PageArguments
from tests.conftest import Database

ORDERS: dict[Order, str] = {
    **{order.value: "conversations" for order in ConversationOrder},
    document_search.NEWEST: "documents",
    membership.BY_JOINING: "memberships",
    message.BY_SEQUENCE: "messages",
    message.NEWEST: "messages",
    user.BY_USERNAME: "users",
    user.BY_JOINING: "participants",
}
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "timestamptz": st.datetimes(timezones=st.just(UTC)),
    "uuid": st.uuids(),
    "int4": st.integers(-(2**31) + 1, 2**31 - 1),
    "text": st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
}


def test_orders_have_names_of_their_own() -> None:
    """Else a cursor of one would pass for a cursor of another."""
    assert len({order.name for order in ORDERS}) == len(ORDERS)


@pytest.mark.parametrize("order", ORDERS, ids=lambda order: order.name)
async def test_the_last_key_is_unique(order: Order, database: Database) -> None:
    """Else rows that tie would be skipped or come twice. Messages are paged by sequence within
    one conversation."""
    connection = await database.connect()
    found = await connection.fetch(
        """SELECT array_agg(attname::text) AS columns FROM pg_index i
        JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY(i.indkey)
        WHERE i.indisunique AND i.indpred IS NULL AND i.indrelid = $1::regclass
        GROUP BY i.indexrelid""",
        ORDERS[order],
    )
    await connection.close()
    last = order.keys[-1].sql.partition(".")[2]
    given = {"tenant_id", "conversation_id"} if last == "sequence" else {"tenant_id"}
    assert any(set(row["columns"]) <= {last} | given for row in found)


@given(data=st.data(), order=st.sampled_from(list(ORDERS)))
def test_a_position_survives_its_cursor(data: st.DataObject, order: Order) -> None:
    values = {key.column: data.draw(VALUES[key.type]) for key in order.keys}
    row = SimpleNamespace(**values)
    assert order.position(order.cursor(row), "after") == tuple(values.values())


@given(st.text() | st.binary().map(lambda raw: raw.decode("latin-1")))
def test_anything_else_is_refused(cursor: str) -> None:
    for order in ORDERS:
        with pytest.raises(BadInput) as caught:
            order.position(cursor, "before")
        assert caught.value.field == ("before",)


@pytest.mark.parametrize(
    ("order", "values"),
    [
        (message.BY_SEQUENCE, [2**31]),
        (message.BY_SEQUENCE, [True]),
        (message.BY_SEQUENCE, [1.0]),
        (user.BY_USERNAME, ["a\0", str(UUID(int=1))]),
        (user.BY_USERNAME, ["a", "x"]),
        (document_search.NEWEST, [2**62, str(UUID(int=1))]),
    ],
)
def test_values_that_would_fail_in_the_statement(order: Order, values: list[object]) -> None:
    """There they would take the rest of the query along."""
    cursor = base64.urlsafe_b64encode(orjson.dumps([order.name, *values])).decode()
    with pytest.raises(BadInput):
        order.position(cursor, "after")


def test_a_page_is_asked_in_one_direction() -> None:
    page = PageArguments(last=3).page(document_search.NEWEST)
    assert (page.limit, page.backward, page.after, page.before) == (3, True, None, None)
    for wrong in (PageArguments(), PageArguments(first=1, last=1), PageArguments(first=0)):
        with pytest.raises(BadInput):
            wrong.page(document_search.NEWEST)

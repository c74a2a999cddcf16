"""Cursors: positions, or refused. Never a fault of ours."""

import base64
import json
from itertools import product

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resolvers.conversation import ConversationOrder
from tests.schema.places import NAMES, Places

pytestmark = pytest.mark.asyncio(loop_scope="module")

ID = "018f0000-0000-7000-8000-000000000000"


def _cursor(*parts: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts, default=str).encode()).decode()


ORDERS = {name: name for name in NAMES} | {
    "of a user": "LAST_MESSAGE_AT_DESC",
    "all messages": "messages",
    "nothing": "users",
}
NUMBERS = st.integers() | st.floats() | st.sampled_from([2**31, -(2**31), 2**63, 2**64 - 1, 10**18])
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text() | st.uuids(),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=4,
)
KINDS = ["message", "message.newest", "user", "participant", "membership", "document"]
KINDS += ["audit_event"]
KINDS += [order.value.name for order in ConversationOrder]
FORGED = (
    st.text()
    | st.binary().map(lambda raw: base64.urlsafe_b64encode(raw).decode())
    | st.lists(JSON_VALUES, max_size=4).map(lambda parts: _cursor(*parts))
    | st.builds(_cursor, st.sampled_from(KINDS), JSON_VALUES)
    | st.builds(_cursor, st.sampled_from(KINDS), JSON_VALUES, JSON_VALUES | st.uuids())
)


@pytest.mark.parametrize("name", NAMES)
async def test_cursors_of_other_connections(places: Places, name: str) -> None:
    """Those of another order are refused. One order may serve several connections: there they
    are positions like any other."""
    for other in NAMES:
        for cursor in places.cursors[other][:1]:
            codes = await places.connections[name].codes(places.by(name), first=1, after=cursor)
            assert codes == ([] if ORDERS[name] == ORDERS[other] else ["BAD_INPUT"]), other


@given(name=st.sampled_from(NAMES), cursor=FORGED, argument=st.sampled_from(["after", "before"]))
@settings(deadline=None, max_examples=100)
async def test_forged_cursors_are_refused(
    places: Places, name: str, cursor: str, argument: str
) -> None:
    connection = places.connections[name]
    variables = connection.variables | {"first": 1, argument: cursor}
    body = {"query": connection.query, "variables": variables}
    client = places.by(name)
    response = await client.http.post("/graphql", content=_json(body), headers=dict(client.headers))
    for error in response.json().get("errors", []):
        assert error["extensions"]["code"] in ("BAD_INPUT", "BAD_REQUEST"), response.text


def _json(body: object) -> bytes:
    return json.dumps(body).encode()  # unlike orjson, it writes lone surrogates


def _forgeries(good: str) -> list[str]:
    order = orjson.loads(base64.urlsafe_b64decode(good))[0]
    return [
        *("", " ", "x", "é", "\0", "null", "0", "A" * 500_000),
        *(good[:-4], good[:-8] + "AAAA====", good[4:], "[" + good, good[: len(good) // 2]),
        *(_cursor(), _cursor(order), _cursor(order, *[None] * 2), _cursor(order, 1, ID, 1)),
        *(_cursor(order, 10**19, ID), _cursor(order, "\0", ID), _cursor(order, "1", "1")),
        *(_cursor(order, 2**63 - 1, ID), _cursor(order, -(2**63), ID), _cursor(order, 2**31)),
        *(_cursor(order, True), _cursor(order, 1.0), _cursor(order, [1], ID), _cursor([order])),
        base64.urlsafe_b64encode(b"[" * 100_000).decode(),
    ]


@pytest.mark.parametrize("name", [name for name in NAMES if name != "nothing"])
async def test_cursors_that_no_order_gave(places: Places, name: str) -> None:
    forgeries = _forgeries(places.cursors[name][0])
    for argument, cursor in product(("after", "before"), forgeries):
        codes = await places.connections[name].codes(places.by(name), first=1, **{argument: cursor})
        assert codes == ["BAD_INPUT"], cursor[:100]

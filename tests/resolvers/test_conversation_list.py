"""A list of conversations, beside a plain list of the table's rows, by each of the ways that lead
to a page."""

from dataclasses import dataclass, replace
from datetime import timedelta
from random import Random
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.viewer import TenantRole, Viewer
from resolvers import conversation_list
from resolvers.conversation import ConversationOrder
from resolvers.conversation_list import (
    ConversationFilter,
    conversation_counts_by_user,
    conversations_by_user,
    list_conversations,
)
from resolvers.paging import Page, PageArguments
from tables.engine import DB
from tests.conftest import Database
from tests.graph import START, Cast

WAYS = {
    "looked up": (1_000, 1_000),
    "compared": (-1, 1_000),
    "asked": (-1, -1),
    "by number": (10, 25),
}
"""FEW and MANY; the last ones send people different ways."""

SIZE = 40
RECENT = ConversationOrder.LAST_MESSAGE_AT_DESC
EVERYTHING = ConversationFilter(include_deleted=True)


@dataclass(frozen=True)
class Talk:
    id: UUID
    title: str
    created_at: Any
    last_message_at: Any
    owner_id: UUID
    deleted_at: Any
    message_count: int
    read_counts: dict[UUID, int]

    def key(self, order: ConversationOrder) -> Any:
        if order is ConversationOrder.TITLE_ASC:
            return self.title, self.id
        if order is ConversationOrder.LAST_MESSAGE_AT_DESC:
            return self.last_message_at or self.created_at, self.id
        return self.created_at, self.id

    def unread(self, viewer: Viewer) -> int:
        return self.message_count - self.read_counts.get(viewer.user_id, self.message_count)

    def is_shown(self, viewer: Viewer, wanted: ConversationFilter) -> bool:
        is_theirs = viewer.is_admin or self.owner_id == viewer.user_id
        return (
            (viewer.is_admin or viewer.user_id in self.read_counts)
            and (self.deleted_at is None or (wanted.include_deleted and is_theirs))
            and wanted.owner_id in (None, self.owner_id)
            and (wanted.participant_id is None or wanted.participant_id in self.read_counts)
            and (wanted.title_contains or "") in self.title
            and wanted.has_unread in (None, self.unread(viewer) > 0)
        )


@dataclass(frozen=True)
class Place:
    tenant_id: UUID
    people: list[UUID]
    talks: list[Talk]


@pytest.fixture
async def place(db: Database) -> Place:
    """People who take part in everything, in half, in little and in nothing; and another workspace
    of theirs."""
    connection = await db.connect()
    cast = Cast(connection)
    tenant, other = [await cast.tenant(slug) for slug in ("acme", "globex")]
    people = [(await cast.person(name)).id for name in ("ada", "bob", "carl", "dora")]
    for person in people:
        await cast.member(tenant, person)
        await cast.member(other, person)
    await cast.conversation(other, *people)
    random = Random(7)
    talks = [await _talk(cast, tenant, people, random) for _ in range(SIZE)]
    await connection.close()
    return Place(tenant, people, talks)


async def _talk(cast: Cast, tenant: UUID, people: list[UUID], random: Random) -> Talk:
    def time() -> Any:
        return START + timedelta(seconds=random.randrange(4))

    values = {
        "title": random.choice("abc") + random.choice("xy"),
        "created_at": time(),
        "last_message_at": random.choice([None, time(), time()]),
        "deleted_at": random.choice([None, None, None, time()]),
        "message_count": random.randrange(3),
        "last_sequence": 2,
    }
    shares = dict(zip(people, (1.1, 0.5, 0.15, -1), strict=True))
    taking_part = [person for person, share in shares.items() if random.random() < share]
    owner = random.choice(people)
    id = await cast.conversation(tenant, owner, **values)
    await cast.connection.execute("DELETE FROM participants WHERE conversation_id = $1", id)
    read_counts = {person: random.randint(0, values["message_count"]) for person in taking_part}
    for person, read in read_counts.items():
        await cast.insert(
            "participants", tenant_id=tenant, conversation_id=id, user_id=person, read_count=read
        )
    del values["last_sequence"]
    return Talk(id=id, owner_id=owner, read_counts=read_counts, **values)


def _filters(people: list[UUID]) -> st.SearchStrategy[ConversationFilter]:
    person = st.none() | st.sampled_from(people)
    return st.builds(
        ConversationFilter,
        owner_id=person,
        participant_id=person,
        title_contains=st.sampled_from([None, None, "a", "x"]),
        has_unread=st.sampled_from([None, None, True, False]),
        include_deleted=st.booleans(),
    )


@given(data=st.data())
@settings(
    deadline=None,
    max_examples=300,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
async def test_any_page(place: Place, data: st.DataObject) -> None:
    user, role = data.draw(st.sampled_from(place.people)), data.draw(st.sampled_from(TenantRole))
    viewer = Viewer(user, uuid4(), place.tenant_id, role)
    wanted, order = data.draw(_filters(place.people)), data.draw(st.sampled_from(ConversationOrder))
    shown = [talk for talk in place.talks if talk.is_shown(viewer, wanted)]
    shown.sort(key=lambda talk: talk.key(order), reverse=order.value.descending)
    limit, forward = data.draw(st.integers(1, 9)), data.draw(st.booleans())
    edge = st.none() | st.integers(0, len(shown) - 1) if shown else st.none()
    after, before = data.draw(edge), data.draw(edge)
    few, many = data.draw(st.sampled_from(list(WAYS.values())))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(conversation_list, "FEW", few)
        patched.setattr(conversation_list, "MANY", many)
        async with DB.tenant(place.tenant_id):
            everything = await list_conversations(viewer, PageArguments(first=100), order, wanted)
            cursors = [edge.cursor for edge in everything.edges]
            arguments = PageArguments(
                first=limit if forward else None,
                last=None if forward else limit,
                after=None if after is None else cursors[after],
                before=None if before is None else cursors[before],
            )
            page = await list_conversations(viewer, arguments, order, wanted)
            assert page.count is not None
            assert await page.count() == len(shown)
    assert [row.id for row in everything.nodes] == [talk.id for talk in shown]
    assert [row["unread_count"] for row in everything.nodes] == [t.unread(viewer) for t in shown]
    window = shown[0 if after is None else after + 1 : before]
    expected = window[:limit] if forward else window[-limit:]
    assert [row.id for row in page.nodes] == [talk.id for talk in expected]
    assert page.has_more == (len(window) > limit)


@given(data=st.data())
@settings(
    deadline=None,
    max_examples=100,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
async def test_those_of_several_people(place: Place, data: st.DataObject) -> None:
    user, role = data.draw(st.sampled_from(place.people)), data.draw(st.sampled_from(TenantRole))
    viewer = Viewer(user, uuid4(), place.tenant_id, role)
    page = Page(data.draw(st.integers(1, SIZE)), backward=data.draw(st.booleans()))
    few, many = data.draw(st.sampled_from(list(WAYS.values())))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(conversation_list, "FEW", few)
        patched.setattr(conversation_list, "MANY", many)
        async with DB.tenant(place.tenant_id):
            keys = [(person, page) for person in place.people]
            slices = await conversations_by_user(viewer, keys)
            counts = await conversation_counts_by_user(viewer, place.people)
    for person, found, count in zip(place.people, slices, counts, strict=True):
        wanted = ConversationFilter(participant_id=person)
        shown = [talk for talk in place.talks if talk.is_shown(viewer, wanted)]
        shown.sort(key=lambda talk: talk.key(RECENT), reverse=True)
        expected = shown[-page.limit :] if page.backward else shown[: page.limit]
        assert [row.id for row in found.nodes] == [talk.id for talk in expected]
        assert found.has_more == (len(shown) > page.limit)
        assert count == len(shown)


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
async def test_each_way_by_itself(
    place: Place, way: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody sees the same by each, and nobody sees what is not theirs."""
    monkeypatch.setattr(conversation_list, "FEW", way[0])
    monkeypatch.setattr(conversation_list, "MANY", way[1])
    for number, user in enumerate(place.people):
        viewer = Viewer(user, uuid4(), place.tenant_id, TenantRole.MEMBER)
        for wanted in (EVERYTHING, *(replace(EVERYTHING, owner_id=one) for one in place.people)):
            async with DB.tenant(place.tenant_id):
                found = await list_conversations(viewer, PageArguments(first=100), wanted=wanted)
            shown = {talk.id for talk in place.talks if talk.is_shown(viewer, wanted)}
            assert {row.id for row in found.nodes} == shown
            assert bool(shown) == (number < 3) or wanted.owner_id

"""The conversations of a workspace that somebody listens to, and how far they were told."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from resolvers.listener import MessageListener
from resolvers.listening import Standing
from resolvers.loading import Known
from resolvers.message_change import ChangeRow, Cursors, changes_between
from resolvers.message_company import company_of

BATCH = 100
"""Versions of a conversation that are read at once."""

CONVERSATIONS = 50
"""Of which changes are read at once."""


@dataclass(eq=False)
class Place:
    """A conversation."""

    cursors: Cursors
    position: int
    """The version up to which those who listen were told."""

    listeners: set[MessageListener] = field(default_factory=set)


@dataclass
class Reading:
    """Of a conversation, all changes up to a version."""

    place: Place
    upto: int
    is_behind: bool
    """Whether there are more."""

    rows: list[ChangeRow] = field(default_factory=list)
    known: Known = field(default_factory=dict)


Changes = Mapping[UUID, Reading]


class MessageFeed:
    def __init__(self, tenant_id: UUID | None) -> None:
        self.tenant_id = tenant_id
        self.places: dict[UUID, Place] = {}

    def listeners(self, id: UUID | None) -> set[MessageListener]:
        place = self.places.get(id) if id else None
        return place.listeners if place else set()

    def join(self, listener: MessageListener, position: int) -> int:
        id = listener.conversation_id
        place = self.places.get(id)
        if place is None:
            place = self.places[id] = Place(Cursors(listener.tenant_id, id), position)
        place.listeners.add(listener)
        listener.is_admitted = False
        listener.position = max(position, place.position)
        return place.position

    def leave(self, listener: MessageListener) -> None:
        place = self.places.get(listener.conversation_id)
        if place is not None:
            place.listeners.discard(listener)
            if not place.listeners:
                del self.places[listener.conversation_id]

    async def read(self, standing: Standing) -> Changes:
        """What is new in the conversations whose versions are known."""
        found: dict[UUID, Reading] = {}
        windows: dict[UUID, tuple[int, int]] = {}
        for id, version in standing.versions.items():
            place = self.places.get(id)
            if place is None or place.position >= version:
                continue
            upto = place.position
            if len(windows) < CONVERSATIONS:
                upto = min(upto + BATCH, version)
                windows[id] = (place.position, upto)
            found[id] = Reading(place, upto, is_behind=upto < version)
        if self.tenant_id is not None and windows:
            rows = await changes_between(self.tenant_id, windows)
            known = await company_of(self.tenant_id, rows)
            for id in windows:
                found[id].known = known
            for row in rows:
                found[row.conversation_id].rows.append(row)
        return found

    def tell(self, changes: Changes) -> Iterator[UUID]:
        """Gives the conversations of which more is to be read."""
        for id, reading in changes.items():
            place = reading.place
            told = [place.cursors.change(row, reading.known) for row in reading.rows]
            for listener in place.listeners:
                listener.tell(told)
            place.position = reading.upto
            if reading.is_behind:
                yield id

import asyncio
import random
import time
from contextlib import aclosing, suppress
from dataclasses import dataclass, field

from resolvers.message_change import Cursors
from tests.graph import Person
from tests.server.processes import Server
from tests.torture.following import LOST, Asked, Follow, is_passing
from tests.torture.model import Change, History, Stretch
from tests.torture.place import Place, credentials

State = tuple[str, bool]
"""A message's content, and whether it is deleted."""

AGAIN_SECONDS = 1.0
"""Until it connects again, at the most."""


@dataclass
class Subscriber:
    name: str
    person: Person
    place: Place
    servers: list[Server]
    follow: Follow
    chance: random.Random

    stretches: list[Stretch] = field(default_factory=list)
    states: dict[str, State] = field(default_factory=dict)
    fault: str = ""
    """Why it does not listen any more."""

    _leaving: asyncio.Timeout = field(default_factory=lambda: asyncio.timeout(None))
    _position: int | None = None
    _since: float = field(default_factory=time.monotonic)

    async def run(self) -> None:
        while True:
            stretch = Stretch(self._position, self.place.known)
            self.stretches.append(stretch)
            self._since = time.monotonic()
            try:
                async with asyncio.timeout(None) as self._leaving:
                    await self._listen(self.chance.choice(self.servers), stretch)
            except LOST as error:
                if not is_passing(error):
                    self.fault = repr(error)
                    return
            await asyncio.sleep(self.chance.uniform(0, AGAIN_SECONDS))

    async def _listen(self, server: Server, stretch: Stretch) -> None:
        cursors = self.place.cursors
        after = None if stretch.after is None else cursors.cursor(stretch.after)
        variables = {"talk": self.place.id, "after": after}
        asked = Asked(server, credentials(self.person), variables)
        async with aclosing(self.follow(asked)) as changes:
            async for change in changes:
                self._hear(stretch, cursors, change)

    def _hear(self, stretch: Stretch, cursors: Cursors, change: dict[str, dict[str, str]]) -> None:
        message, version = change["message"], cursors.version(str(change["cursor"]))
        stretch.heard.append(Change(str(change["kind"]), message["id"], version))
        self.states[message["id"]] = message["content"], message["deletedAt"] is not None
        self._position = version
        self.place.known = max(self.place.known, version)

    def leave(self) -> None:
        """For another process, or the same one."""
        with suppress(RuntimeError):  # it is on its way
            self._leaving.reschedule(0)

    def begin_after(self, version: int) -> None:
        self._position = version

    def is_behind(self, version: int) -> bool:
        """Whoever has heard of nothing yet may have begun to listen after it."""
        return self._position not in (None, version) and not self.fault

    def __str__(self) -> str:
        seconds = time.monotonic() - self._since
        return (
            f"{self.name} is at {self._position}, and for {seconds:.0f} s in stretch"
            f" {len(self.stretches)}, {self.stretches[-1:]}"
        )

    def faults(self, history: History, truth: dict[str, State]) -> list[str]:
        """What it heard and should not have, or should have and did not."""
        found = [fault for stretch in self.stretches for fault in history.faults(stretch)]
        found += [
            f"{id} is {state}, and not {truth.get(id)}"
            for id, state in self.states.items()
            if truth.get(id) != state
        ]
        if self.stretches[0].after == 0 and self.states.keys() != truth.keys():
            found.append(f"never heard of {truth.keys() - self.states.keys()}")
        return [f"{self.name}: {fault}" for fault in [*found, self.fault] if fault]

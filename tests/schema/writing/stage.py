"""Two workspaces and the model of them: what every rule asks, and of whom."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine

from tests.graph import Cast, Client
from tests.schema.workspace import gid, open_workspace
from tests.schema.writing.model import Viewer, World

SLUGS = ("acme", "globex")
PEOPLE = ("ada", "root", "bob", "carl", "dora", "eve")
"""dora has left both workspaces, eve is of the second alone."""

KEY = "key"
"""Of each person and conversation another one."""

Who = tuple[str, str]
Place = tuple[bool, int]

people = st.sampled_from([*PEOPLE, "bob", "carl", "bob", "carl", "bob", "carl"])
viewers = st.tuples(st.sampled_from(SLUGS), people)
# Sometimes of the other workspace.
places = st.tuples(st.sampled_from([False] * 9 + [True]), st.integers(0, 5))
numbers = st.integers(0, 9)
keys = st.none() | st.just(KEY)
words = st.sampled_from(["a", "b"])

T = TypeVar("T")


@dataclass
class House:
    """Where it is played, again and again, with workspaces of its own each time."""

    runner: asyncio.Runner
    cast: Cast
    client: Client
    numbers: "count[int]"

    async def open(self) -> dict[str, World]:
        number = next(self.numbers)
        worlds = {}
        for slug in SLUGS:
            workspace = await open_workspace(self.cast, self.client, f"{slug}{number}")
            worlds[slug] = World(workspace, {"ada", "root", "bob", "carl"})
        eve = self.cast.people.get("eve") or await self.cast.person("eve", workspace.id)
        await self.cast.member(workspace.id, eve.id)
        worlds[slug].members.add("eve")
        return worlds


class Stage(RuleBasedStateMachine):
    house: House

    def __init__(self) -> None:
        super().__init__()
        self.worlds = self.house.runner.run(self.house.open())

    def viewer(self, who: Who) -> Viewer:
        slug, name = who
        return Viewer(self.worlds[slug], name)

    def other(self, world: World) -> World:
        (other,) = (one for one in self.worlds.values() if one is not world)
        return other

    def world(self, who: Viewer, place: Place) -> World:
        elsewhere, _ = place
        return self.other(who.world) if elsewhere else who.world

    def user(self, name: str) -> str:
        return gid("User", self.house.cast.people[name].id)

    def done(
        self, who: Viewer, mutation: str, select: str, refusal: str | None, **input: Any
    ) -> Any:
        """What the mutation answers; None when it is refused, as it should be."""
        client = who.world.workspace.by(who.name)
        payload = self.house.runner.run(client.mutate(mutation, select, **input))
        codes = [error["code"] for error in payload["errors"]]
        assert codes == ([refusal] if refusal else []), (payload, input)
        return None if refusal else next(iter(payload[key] for key in payload if key != "errors"))


def pick(things: Sequence[T], number: int) -> T:
    return things[number % len(things)]

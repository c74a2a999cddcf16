"""Whatever is written, in whatever order, by whomever: the tables hold what a plain model of them
would. Two workspaces with the same people and the same requests stay apart.

Longer, and other each time: `make model`.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import initialize, invariant, run_state_machine_as_test

from schema.node import parse_global_id
from tables.engine import DB
from tests.conftest import MODEL, cloned
from tests.graph import Cast, asking
from tests.schema.talking import assert_it_adds_up
from tests.schema.writing.messages import MessageRules
from tests.schema.writing.model import Viewer
from tests.schema.writing.reading import expected, seen
from tests.schema.writing.stage import PEOPLE, SLUGS, House

HERE = (False, 0)
BRIEF = settings(
    max_examples=16,
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],  # to shrink what failed takes minutes
    suppress_health_check=list(HealthCheck),
)
CHOSEN = settings() if settings.get_current_profile_name() == MODEL else BRIEF


class Writing(MessageRules):
    turn = 0

    @initialize()
    def begin(self) -> None:
        for slug in SLUGS:
            bob, carl = (slug, "bob"), (slug, "carl")
            self.create_document(by=bob, filename="a.md", content="a", tagged=["a"], key=None)
            self.create_conversation(by=bob, title="a", others={"carl"}, key=None)
            for by in (bob, carl, bob, bob):
                self.send_message(by=by, at=HERE, content="a", role="USER", cited=[HERE], key=None)
            # Before carl has read it.
            self.delete_or_restore_message(by=bob, at=HERE, number=2, deleted=True)

    @invariant()
    def somebody_sees_what_the_model_says(self) -> None:
        """In both workspaces, whichever was written in. Another one each time."""
        self.turn += 1
        self.compare(PEOPLE[self.turn % len(PEOPLE)])

    def teardown(self) -> None:
        self.compare(*PEOPLE)
        for world in self.worlds.values():
            for talk in world.talks:
                parsed = parse_global_id(talk.id)
                assert parsed is not None
                self.house.runner.run(assert_it_adds_up(world.workspace, parsed[1]))

    def compare(self, *names: str) -> None:
        for world in self.worlds.values():
            for name in names:
                viewer = Viewer(world, name)
                assert self.house.runner.run(seen(viewer)) == expected(viewer), name


@asynccontextmanager
async def _house(postgres: Path, runner: asyncio.Runner) -> AsyncIterator[House]:
    async with cloned(postgres) as database, asking() as client:
        await DB.open(database.url("parley_app"), size=4)
        cast = Cast(await database.connect())
        yield House(runner, cast, client, count())
        await cast.connection.close()


@pytest.mark.timeout(60 * CHOSEN.max_examples)
def test_the_tables_hold_what_the_model_says(postgres: Path) -> None:
    with asyncio.Runner() as runner:
        house = _house(postgres, runner)
        Writing.house = runner.run(house.__aenter__())
        try:
            run_state_machine_as_test(Writing, settings=CHOSEN)
        finally:
            runner.run(house.__aexit__(None, None, None))

"""What each role is told of."""

import asyncio
from uuid import UUID

from tests.graph import Person
from tests.schema.permissions.reads import Cells, subjects
from tests.schema.permissions.stage import RANKS, SIGNED_OUT, SLUG, Stage
from tests.schema.subscribing import INBOX, OFTEN, changes_of, first, subscribed
from tests.schema.workspace import gid

TOUCH = "UPDATE conversations SET title = title || '!' WHERE id = $1"


async def observe(stage: Stage, role: str) -> Cells:
    talks = subjects(stage, role)["Conversation"]
    abroad = await stage.cast.conversation(stage.elsewhere, stage.user(role))
    found = {case: await _changes(stage, role, talk) for case, talk in talks.items()}
    found["of another workspace"] = await _changes(stage, role, abroad)
    cells = {("messageChanges", case): cell for case, cell in found.items()}
    return cells | {("inboxChanges", ""): await _inbox(stage, role, talks["not deleted"])}


def _who(stage: Stage, role: str) -> Person | None:
    return None if role == SIGNED_OUT else stage.person(role)


async def _changes(stage: Stage, role: str, talk: UUID) -> str:
    query, variables = changes_of(stage.id, talk, "cursor")
    async with subscribed(_who(stage, role), SLUG, query, **variables) as results:
        shown = await first(results)
    return shown if isinstance(shown, str) else "yes"


async def _inbox(stage: Stage, role: str, talk: UUID) -> str:
    """Whether it tells of a conversation before it tells of one's own, as it does in the end."""
    member = role if role in RANKS else "peer"
    own = await stage.cast.conversation(stage.id, stage.user(member))
    told: list[str] = []
    async with subscribed(_who(stage, role), SLUG, INBOX) as results:
        telling = asyncio.ensure_future(first(results))
        while told.count(gid("Conversation", own)) < 2:
            for id in (talk, own):
                await stage.cast.connection.execute(TOUCH, id)
            await asyncio.wait([telling], timeout=OFTEN)
            if telling.done():
                shown = telling.result()
                if isinstance(shown, str):
                    return shown
                told.append(shown["inboxChanges"]["id"])
                telling = asyncio.ensure_future(first(results))
        telling.cancel()
        await asyncio.wait([telling])
    return "yes" if gid("Conversation", talk) in told else "none"

"""Whatever is written, in whatever order, by whomever: the tables hold what a plain model of them
would. Two workspaces with the same people and the same requests stay apart."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from tables.engine import DB
from tests.conftest import cloned
from tests.graph import Cast, asking
from tests.schema.workspace import Workspace, gid, open_workspace

PEOPLE = ["ada", "root", "bob", "carl"]
ADMINS = {"ada", "root"}
SEEN = """query ($id: ID!) { node(id: $id) { ... on Conversation { messageCount unreadCount
    messages(first: 100, includeDeleted: true) { nodes { sequence content } } } } }"""

slugs = st.sampled_from(["acme", "globex"])
people = st.sampled_from([*PEOPLE, "bob", "carl", "bob", "carl"])
places = st.integers(0, 5)
keys = st.none() | st.sampled_from(["k1", "k2"])
contents = st.sampled_from(["a", "b", "c"])


@dataclass
class Said:
    id: str
    author: str
    content: str
    deleted: bool = False


@dataclass
class Talk:
    """A conversation that bob owns, as it should be."""

    id: Any
    said: list[Said] = field(default_factory=list)
    read: dict[str, int] = field(default_factory=lambda: {"bob": 0, "carl": 0})
    keys: dict[str, tuple[str, str, Said]] = field(default_factory=dict)
    deleted: bool = False

    def there(self, upto: int | None = None) -> int:
        return sum(not message.deleted for message in self.said[:upto])

    def sees(self, who: str) -> bool:
        return not self.deleted and (who in ADMINS or who in self.read)

    def refusal(self, who: str, *, may: bool) -> list[str]:
        if not self.sees(who):
            return ["NOT_FOUND"]
        return [] if may else ["FORBIDDEN"]

    def message(self, place: int) -> Said | None:
        return self.said[place % len(self.said)] if self.said else None


class Writing(RuleBasedStateMachine):
    runner: asyncio.Runner
    socket: Path

    def __init__(self) -> None:
        super().__init__()
        self.talks: dict[str, Talk] = {}
        self.workspaces: dict[str, Workspace] = {}
        self.closing: list[Callable[[], Coroutine[Any, Any, Any]]] = []
        self.run(self.open())

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(work)

    async def open(self) -> None:
        clone = cloned(self.socket)
        database = await clone.__aenter__()
        await DB.open(database.url("parley_app"), size=4)
        client = asking()
        cast = Cast(await database.connect())
        http = await client.__aenter__()
        self.closing = [
            lambda: client.__aexit__(None, None, None),
            cast.connection.close,
            lambda: anext(clone.gen, None),
        ]
        for slug in ("acme", "globex"):
            workspace = await open_workspace(cast, http, slug)
            self.workspaces[slug] = workspace
            self.talks[slug] = Talk(await workspace.talk("bob", "carl"))

    def teardown(self) -> None:
        for close in self.closing:
            self.run(close())

    def ask(self, slug: str, who: str, mutation: str, **input: Any) -> tuple[list[str], Any]:
        select = "message { id }" if "Message" in mutation else ""
        payload = self.run(self.workspaces[slug].by(who).mutate(mutation, select, **input))
        return [error["code"] for error in payload["errors"]], payload.get("message")

    @initialize()
    def begin(self) -> None:
        for slug in self.talks:
            for who in ("bob", "carl", "bob", "bob"):
                self.send(slug=slug, who=who, content="a", key=None)

    @rule(slug=slugs, who=people, content=contents, key=keys)
    def send(self, slug: str, who: str, content: str, key: str | None) -> None:
        talk = self.talks[slug]
        codes, message = self.ask(
            slug,
            who,
            "sendMessage",
            conversationId=gid("Conversation", talk.id),
            content=content,
            idempotencyKey=key,
        )
        expected = talk.refusal(who, may=who in talk.read)
        earlier = talk.keys.get(key) if key else None
        if not expected and earlier and earlier[:2] != (who, content):
            expected = ["CONFLICT"]
        assert codes == expected
        if expected:
            return
        if earlier:
            assert message["id"] == earlier[2].id
            return
        talk.said.append(Said(message["id"], who, content))
        talk.read[who] = len(talk.said)
        if key:
            talk.keys[key] = (who, content, talk.said[-1])

    @rule(slug=slugs, who=people, place=places, content=contents)
    def edit(self, slug: str, who: str, place: int, content: str) -> None:
        talk = self.talks[slug]
        if message := talk.message(place):
            codes, _ = self.ask(slug, who, "editMessage", id=message.id, content=content)
            expected = talk.refusal(who, may=message.author == who)
            if message.deleted:
                expected = ["NOT_FOUND"]
            assert codes == expected
            if not expected:
                message.content = content

    @rule(slug=slugs, who=people, place=places, deleted=st.booleans())
    def take_back(self, slug: str, who: str, place: int, *, deleted: bool) -> None:
        talk = self.talks[slug]
        if message := talk.message(place):
            mutation = "deleteMessage" if deleted else "restoreMessage"
            codes, _ = self.ask(slug, who, mutation, id=message.id)
            expected = talk.refusal(who, may=who == message.author or who in ADMINS)
            assert codes == expected
            if not expected:
                message.deleted = deleted

    @rule(slug=slugs, who=people, sequence=st.none() | st.integers(0, 8))
    def read(self, slug: str, who: str, sequence: int | None) -> None:
        talk = self.talks[slug]
        codes, _ = self.ask(
            slug,
            who,
            "markConversationRead",
            id=gid("Conversation", talk.id),
            sequence=sequence,
        )
        expected = talk.refusal(who, may=who in talk.read)
        upto = len(talk.said) if sequence is None else sequence
        if not expected and upto > len(talk.said):
            expected = ["BAD_INPUT"]
        assert codes == expected
        if not expected:
            talk.read[who] = max(talk.read[who], upto)

    @rule(slug=slugs, who=people, whom=people, added=st.booleans())
    def move(self, slug: str, who: str, whom: str, *, added: bool) -> None:
        talk, workspace = self.talks[slug], self.workspaces[slug]
        codes, _ = self.ask(
            slug,
            who,
            "addParticipant" if added else "removeParticipant",
            conversationId=gid("Conversation", talk.id),
            userId=gid("User", workspace.user(whom)),
        )
        runs = who in ADMINS or who == "bob"
        expected = talk.refusal(who, may=runs or (who == whom and not added))
        if not expected and not added and whom not in talk.read:
            expected = ["NOT_FOUND"]
        assert codes == expected
        if not expected and added:
            talk.read.setdefault(whom, 0)
        elif not expected:
            del talk.read[whom]

    @rule(slug=slugs, who=people, deleted=st.sampled_from([False, False, True]))
    def close(self, slug: str, who: str, *, deleted: bool) -> None:
        talk = self.talks[slug]
        mutation = "deleteConversation" if deleted else "restoreConversation"
        codes, _ = self.ask(slug, who, mutation, id=gid("Conversation", talk.id))
        owns = who == "bob" and who in talk.read
        if who in ADMINS or owns:
            assert codes == []
            talk.deleted = deleted
        else:
            hidden = talk.deleted or who not in talk.read
            assert codes == (["NOT_FOUND"] if hidden else ["FORBIDDEN"])

    @invariant()
    def it_is_as_the_model_says(self) -> None:
        for slug, talk in self.talks.items():
            self.run(self._compare(self.workspaces[slug], talk))

    async def _compare(self, workspace: Workspace, talk: Talk) -> None:
        for who in PEOPLE:
            data = await workspace.by(who).ask(SEEN, id=gid("Conversation", talk.id))
            if not talk.sees(who):
                assert data["node"] is None
                continue
            unread = talk.there() - talk.there(talk.read[who]) if who in talk.read else 0
            nodes = [
                {"sequence": n, "content": "" if message.deleted else message.content}
                for n, message in enumerate(talk.said, 1)
            ]
            assert data["node"] == {
                "messageCount": talk.there(),
                "unreadCount": unread,
                "messages": {"nodes": nodes},
            }


@pytest.mark.timeout(300)
def test_the_tables_hold_what_the_model_says(postgres: Path) -> None:
    with asyncio.Runner() as runner:
        Writing.runner, Writing.socket = runner, postgres
        run_state_machine_as_test(
            Writing,
            settings=settings(
                max_examples=8,
                stateful_step_count=25,
                deadline=None,
                derandomize=True,
                phases=[Phase.generate],  # to shrink what failed takes minutes
                suppress_health_check=list(HealthCheck),
            ),
        )

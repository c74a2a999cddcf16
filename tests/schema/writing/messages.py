from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import rule

from tests.schema.writing.conversations import ConversationRules
from tests.schema.writing.documents import DocumentRules
from tests.schema.writing.model import Request, Said, Talk, Viewer
from tests.schema.writing.stage import (
    KEY,
    Place,
    Who,
    keys,
    numbers,
    pick,
    places,
    viewers,
    words,
)

SELECT = "message { id sequence }"
usually = st.sampled_from([True, True, True, False])
changes: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
    [{}, {}, {"content": "other"}, {"papers": []}]
)
roles = st.sampled_from(["USER", "USER", "USER", "ASSISTANT", "SYSTEM"])


class MessageRules(ConversationRules, DocumentRules):
    @rule(
        by=viewers,
        at=places,
        content=words,
        role=roles,
        cited=st.lists(places, max_size=2),
        key=keys,
    )
    def send_message(
        self, by: Who, at: Place, content: str, role: str, cited: list[Place], key: str | None
    ) -> None:
        who = self.viewer(by)
        papers = list(dict.fromkeys(self.paper(who, place) for place in cited))
        author = who.name if role == "USER" else None
        self._send(who, self.talk(who, at), Request(author, role, content, papers), key)

    @rule(by=viewers, at=places, themselves=usually, change=changes)
    def send_message_again(
        self, by: Who, at: Place, *, themselves: bool, change: dict[str, Any]
    ) -> None:
        """With the key of a message: whoever sent it, or somebody else; the same, or another."""
        who = self.viewer(by)
        sent = self.world(who, at).sent
        if not sent:
            return
        talk, request = pick(sent, at[1])
        author = request.author and (request.author if themselves else who.name)
        who = Viewer(who.world, author or who.name)
        self._send(who, talk, request._replace(author=author, **change), KEY)

    def _send(self, who: Viewer, talk: Talk, request: Request, key: str | None) -> None:
        author, role, content, papers = request
        asked, earlier = talk.world.keys.get((talk.id, key), (None, None))
        refusal = talk.refusal(who, may=who.name in talk.read if author else talk.is_run_by(who))
        if earlier and asked != request:
            refusal = refusal or "CONFLICT"
        elif not earlier and any(p.deleted or p.world is not who.world for p in papers):
            refusal = refusal or "NOT_FOUND"
        message = self.done(
            who,
            "sendMessage",
            SELECT,
            refusal,
            conversationId=talk.id,
            content=content,
            role=role,
            usedDocumentIds=[paper.id for paper in papers],
            idempotencyKey=key,
        )
        if earlier and not refusal:
            assert message["id"] == earlier.id
        elif not refusal:
            said = Said(message["id"], author, role, content, papers, talk.world.tick())
            talk.said.append(said)
            assert message["sequence"] == len(talk.said)
            if author:
                talk.read[author] = len(talk.said)
            if key:
                talk.world.keys[talk.id, key] = (request, said)
                talk.world.sent.append((talk, request))

    @rule(by=viewers, at=places, number=numbers, content=words)
    def edit_message(self, by: Who, at: Place, number: int, content: str) -> None:
        who = self.viewer(by)
        talk = self.talk(who, at)
        if not talk.said:
            return
        message = pick(talk.said, number)
        refusal = talk.refusal(who, may=message.deleted or message.author == who.name)
        if message.deleted:
            refusal = refusal or "NOT_FOUND"
        self.done(who, "editMessage", SELECT, refusal, id=message.id, content=content)
        if not refusal:
            message.edited |= message.content != content
            message.content = content

    @rule(by=viewers, at=places, number=numbers, deleted=st.booleans())
    def delete_or_restore_message(self, by: Who, at: Place, number: int, *, deleted: bool) -> None:
        who = self.viewer(by)
        talk = self.talk(who, at)
        if not talk.said:
            return
        message = pick(talk.said, number)
        refusal = talk.refusal(who, may=who.is_admin or message.author == who.name)
        mutation = "deleteMessage" if deleted else "restoreMessage"
        self.done(who, mutation, SELECT, refusal, id=message.id)
        if not refusal:
            message.deleted = deleted

from hypothesis import strategies as st
from hypothesis.stateful import rule

from tests.schema.writing.model import Talk, Viewer
from tests.schema.writing.stage import (
    Place,
    Stage,
    Who,
    keys,
    people,
    pick,
    places,
    viewers,
    words,
)

MAX_TALKS = 6
SELECT = "conversation { id }"
GUESTS: list[set[str]] = [set(), {"carl"}, {"bob", "carl"}, {"eve"}, {"dora", "carl"}]


class ConversationRules(Stage):
    def talk(self, who: Viewer, place: Place) -> Talk:
        return pick(self.world(who, place).talks, place[1])

    @rule(by=viewers, title=words, others=st.sampled_from(GUESTS), key=keys)
    def create_conversation(self, by: Who, title: str, others: set[str], key: str | None) -> None:
        who = self.viewer(by)
        world, names = who.world, {who.name, *others}
        if len(world.talks) == MAX_TALKS and key is None:
            return
        request, slot = (title, frozenset(names)), ("Conversation", who.name, key)
        asked, earlier = world.keys.get(slot, (None, None)) if key else (None, None)
        refusal = None if who.is_member else "FORBIDDEN"
        if earlier and asked != request:
            refusal = refusal or "CONFLICT"
        elif not (earlier.is_seen_by(who, deleted_too=True) if earlier else names <= world.members):
            refusal = refusal or "NOT_FOUND"
        made = self.done(
            who,
            "createConversation",
            SELECT,
            refusal,
            title=title,
            participantIds=[self.user(name) for name in sorted(others)],
            idempotencyKey=key,
        )
        if earlier and not refusal:
            assert made["id"] == earlier.id
        elif not refusal:
            talk = Talk(made["id"], world, who.name, title, dict.fromkeys(names, 0))
            world.talks.append(talk)
            if key:
                world.keys[slot] = (request, talk)

    @rule(by=viewers, at=places, title=words)
    def rename_conversation(self, by: Who, at: Place, title: str) -> None:
        who = self.viewer(by)
        talk = self.talk(who, at)
        refusal = talk.refusal(who, may=talk.is_run_by(who))
        self.done(who, "renameConversation", SELECT, refusal, id=talk.id, title=title)
        if not refusal:
            talk.title = title

    @rule(by=viewers, at=places, deleted=st.sampled_from([False, False, True]))
    def delete_or_restore_conversation(self, by: Who, at: Place, *, deleted: bool) -> None:
        who = self.viewer(by)
        talk = self.talk(who, at)
        refusal = talk.refusal(who, may=talk.is_run_by(who), deleted_too=True)
        mutation = "deleteConversation" if deleted else "restoreConversation"
        self.done(who, mutation, SELECT, refusal, id=talk.id)
        if not refusal:
            talk.deleted = deleted

    @rule(by=viewers, at=places, whom=people)
    def add_participant(self, by: Who, at: Place, whom: str) -> None:
        who = self.viewer(by)
        talk = self.talk(who, at)
        refusal = talk.refusal(who, may=talk.is_run_by(who))
        if whom not in talk.world.members:
            refusal = refusal or "NOT_FOUND"
        given = {"conversationId": talk.id, "userId": self.user(whom)}
        self.done(who, "addParticipant", SELECT, refusal, **given)
        if not refusal:
            talk.read.setdefault(whom, 0)

    @rule(by=viewers, at=places, whom=people)
    def remove_participant(self, by: Who, at: Place, whom: str) -> None:
        who = self.viewer(by)
        talk = self.talk(who, at)
        refusal = talk.refusal(who, may=talk.is_run_by(who) or whom == who.name)
        if whom not in talk.read:
            refusal = refusal or "NOT_FOUND"
        given = {"conversationId": talk.id, "userId": self.user(whom)}
        shown = self.done(who, "removeParticipant", SELECT, refusal, **given)
        if not refusal:
            del talk.read[whom]
            assert (shown is not None) == talk.is_seen_by(who)

    @rule(by=viewers, at=places, upto=st.none() | st.integers(0, 8))
    def mark_read(self, by: Who, at: Place, upto: int | None) -> None:
        who = self.viewer(by)
        talk = self.talk(who, at)
        refusal = talk.refusal(who, may=who.name in talk.read)
        last = len(talk.said)
        if upto is not None and upto > last:
            refusal = refusal or "BAD_INPUT"
        self.done(who, "markConversationRead", SELECT, refusal, id=talk.id, sequence=upto)
        if not refusal:
            talk.read[who.name] = max(talk.read[who.name], last if upto is None else upto)

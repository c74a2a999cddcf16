from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import rule

from tests.schema.writing.model import Paper, Viewer
from tests.schema.writing.stage import Place, Stage, Who, keys, pick, places, viewers, words

MAX_PAPERS = 8
SELECT = "document { id filename content }"
filenames = st.sampled_from(["a.md", "b.md"])
tags = st.sampled_from([["a"], ["a", "b"]])


class DocumentRules(Stage):
    def paper(self, who: Viewer, place: Place) -> Paper:
        return pick(self.world(who, place).papers, place[1])

    @rule(by=viewers, filename=filenames, content=words, tagged=tags, key=keys)
    def create_document(
        self, by: Who, filename: str, content: str, tagged: list[str], key: str | None
    ) -> None:
        who = self.viewer(by)
        world = who.world
        if len(world.papers) == MAX_PAPERS and key is None:
            return
        request, slot = (filename, content, tagged), ("Document", who.name, key)
        asked, earlier = world.keys.get(slot, (None, None)) if key else (None, None)
        refusal = None if who.is_member else "FORBIDDEN"
        if earlier and asked != request:
            refusal = refusal or "CONFLICT"
        made = self.done(
            who,
            "createDocument",
            SELECT,
            refusal,
            filename=filename,
            contentType="text/markdown",
            content=content,
            tags=tagged,
            idempotencyKey=key,
        )
        if earlier and not refusal:
            assert made["id"] == earlier.id
        elif not refusal:
            paper = Paper(made["id"], world, who.name, filename, content, tagged)
            world.papers.append(paper)
            if key:
                world.keys[slot] = (request, paper)

    @rule(
        by=viewers,
        at=places,
        changes=st.fixed_dictionaries(
            {}, optional={"filename": filenames, "content": words, "tags": tags}
        ),
    )
    def update_document(self, by: Who, at: Place, changes: dict[str, Any]) -> None:
        who = self.viewer(by)
        paper = self.paper(who, at)
        refusal = paper.refusal(who)
        self.done(who, "updateDocument", SELECT, refusal, id=paper.id, **changes)
        if not refusal:
            vars(paper).update(changes)

    @rule(by=viewers, at=places, deleted=st.booleans())
    def delete_or_restore_document(self, by: Who, at: Place, *, deleted: bool) -> None:
        who = self.viewer(by)
        paper = self.paper(who, at)
        refusal = paper.refusal(who, deleted_too=True)
        mutation = "deleteDocument" if deleted else "restoreDocument"
        self.done(who, mutation, SELECT, refusal, id=paper.id)
        if not refusal:
            paper.deleted = deleted

"""All that somebody sees of a workspace, as it is answered and as the model has it."""

from operator import itemgetter
from typing import Any

from tests.schema.writing.model import Paper, Said, Talk, Viewer

SEEN = """{
    conversations(first: 10, orderBy: CREATED_AT_ASC, filter: {includeDeleted: true}) { nodes {
        id title deletedAt messageCount unreadCount owner { username }
        participants(first: 10) { totalCount nodes { username } }
        lastMessage { id }
        messages(first: 100, includeDeleted: true) { totalCount nodes {
            id sequence role content editedAt deletedAt author { username } usedDocuments { id }
        } }
    } }
    documents(first: 20, filter: {includeDeleted: true}) { nodes {
        id filename content size tags deletedAt owner { username }
        citedBy(first: 50) { totalCount nodes { id } }
    } }
}"""


async def seen(who: Viewer) -> Any:
    """Of a time, only whether there is one. Who joined at once did so in no order."""
    client = who.world.workspace.by(who.name)
    if not who.is_member:
        return await client.codes(SEEN)
    answer = _timeless(await client.ask(SEEN))
    for talk in answer["conversations"]["nodes"]:
        talk["participants"]["nodes"].sort(key=itemgetter("username"))
    return answer


def _timeless(value: Any) -> Any:
    if isinstance(value, list):
        return [_timeless(one) for one in value]
    if isinstance(value, dict):
        return {
            key: one is not None if key.endswith("At") else _timeless(one)
            for key, one in value.items()
        }
    return value


def expected(who: Viewer) -> Any:
    if not who.is_member:
        return ["FORBIDDEN"]
    talks = [talk for talk in who.world.talks if talk.is_seen_by(who, deleted_too=True)]
    papers = [
        paper for paper in who.world.papers[::-1] if not paper.deleted or paper.is_run_by(who)
    ]
    return {
        "conversations": {"nodes": [_talk(who, talk) for talk in talks]},
        "documents": {"nodes": [_paper(who, paper) for paper in papers]},
    }


def _talk(who: Viewer, talk: Talk) -> Any:
    there, read = talk.there(), talk.read.get(who.name)
    unread = 0 if read is None else len(there) - len(talk.there(read))
    return {
        "id": talk.id,
        "title": talk.title,
        "deletedAt": talk.deleted,
        "messageCount": len(there),
        "unreadCount": unread,
        "owner": {"username": talk.owner},
        "participants": _all([{"username": name} for name in sorted(talk.read)]),
        "lastMessage": {"id": there[-1].id} if there else None,
        "messages": _all([_message(*numbered) for numbered in enumerate(talk.said, 1)]),
    }


def _message(sequence: int, said: Said) -> Any:
    papers = [] if said.deleted else [paper for paper in said.papers if not paper.deleted]
    return {
        "id": said.id,
        "sequence": sequence,
        "role": said.role,
        "content": "" if said.deleted else said.content,
        "editedAt": said.edited,
        "deletedAt": said.deleted,
        "author": {"username": said.author} if said.author else None,
        "usedDocuments": [{"id": paper.id} for paper in papers],
    }


def _paper(who: Viewer, paper: Paper) -> Any:
    citing = [
        message
        for talk in who.world.talks
        if talk.is_seen_by(who)
        for message in talk.there()
        if paper in message.papers
    ]
    newest = sorted(citing, key=lambda message: message.time, reverse=True)
    return {
        "id": paper.id,
        "filename": paper.filename,
        "content": paper.content,
        "size": len(paper.content),
        "tags": paper.tags,
        "deletedAt": paper.deleted,
        "owner": {"username": paper.owner},
        "citedBy": _all([{"id": message.id} for message in newest]),
    }


def _all(nodes: list[Any]) -> Any:
    return {"totalCount": len(nodes), "nodes": nodes}

"""What each role may do. Each mutation is really done, on a stage that is as it was set."""

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from tests.schema.permissions.reads import Cells
from tests.schema.permissions.stage import Stage, actor, refresh_token
from tests.schema.signing_in import PASSWORD
from tests.schema.workspace import gid

TABLES = (
    *("tenants", "users", "memberships", "sessions", "refresh_tokens", "conversations"),
    *("participants", "messages", "message_documents", "documents"),
)
STATE = " UNION ALL ".join(
    f"SELECT to_jsonb(t) - 'last_activity_at' - 'updated_at' FROM {table} t" for table in TABLES
)
SetStage = Callable[[], Awaitable[Stage]]


class Deed(NamedTuple):
    input: dict[str, Any]
    before: str = ""
    """A statement."""


def deeds(stage: Stage, role: str) -> dict[tuple[str, str], Deed]:
    """By mutation and case."""
    name = stage.person(role).username
    own, other = (gid("Session", stage.person(who).session_id) for who in (role, "peer"))
    new = {"username": f"new-{name}", "email": f"new-{name}@example.com", "password": PASSWORD}
    return {
        ("signUp", ""): Deed(new | {"tenantName": "New"}),
        ("signIn", ""): Deed({"username": name, "password": PASSWORD}),
        ("refreshSession", ""): Deed({"refreshToken": refresh_token(role)}),
        ("signOut", ""): Deed({}),
        ("signOutEverywhere", ""): Deed({}),
        ("revokeSession", "one's own"): Deed({"id": own}),
        ("revokeSession", "of another"): Deed({"id": other}),
        ("updateProfile", ""): Deed({"fullName": "New", "email": new["email"]}),
        ("changePassword", ""): Deed(
            {"currentPassword": PASSWORD, "newPassword": f"{PASSWORD} staple"}
        ),
        ("createTenant", ""): Deed({"name": f"New of {name}"}),
        ("updateTenant", "name"): Deed({"name": "New"}),
        ("updateTenant", "settings"): Deed({"settings": {"key": "new"}}),
        **_of_members(stage, role),
        **_of_conversations(stage, role),
        **_of_participants(stage, role),
        **_of_messages(stage, role),
        **_of_documents(stage, role),
    }


def _of_members(stage: Stage, role: str) -> dict[tuple[str, str], Deed]:
    def user(who: str) -> dict[str, Any]:
        return {"userId": gid("User", stage.user(who))}

    def to(who: str, rank: str) -> Deed:
        return Deed(user(who) | {"role": rank})

    outsider = {"username": "outsider"}
    alone = f"""UPDATE memberships SET is_active = false
        WHERE id = '{stage.ids["Membership of coowner"]}'"""
    return {
        ("addMember", "as MEMBER"): Deed(outsider | {"role": "MEMBER"}),
        ("addMember", "as ADMIN"): Deed(outsider | {"role": "ADMIN"}),
        ("addMember", "as OWNER"): Deed(outsider | {"role": "OWNER"}),
        ("addMember", "who left"): Deed({"username": "gone"}),
        ("addMember", "who is a member"): Deed({"username": "peer"}),
        ("addMember", "who is nobody"): Deed({"username": "nobody"}),
        ("changeMemberRole", "a member to ADMIN"): to("peer", "ADMIN"),
        ("changeMemberRole", "a member to OWNER"): to("peer", "OWNER"),
        ("changeMemberRole", "an admin to MEMBER"): to("coadmin", "MEMBER"),
        ("changeMemberRole", "an admin to OWNER"): to("coadmin", "OWNER"),
        ("changeMemberRole", "an owner to MEMBER"): to("coowner", "MEMBER"),
        ("changeMemberRole", "oneself to OWNER"): to(role, "OWNER"),
        ("changeMemberRole", "oneself to MEMBER"): to(role, "MEMBER"),
        ("changeMemberRole", "the last owner to MEMBER"): Deed(
            user("owner") | {"role": "MEMBER"}, before=alone
        ),
        ("changeMemberRole", "who is no member"): to("gone", "ADMIN"),
        ("removeMember", "a member"): Deed(user("peer")),
        ("removeMember", "an admin"): Deed(user("coadmin")),
        ("removeMember", "an owner"): Deed(user("coowner")),
        ("removeMember", "oneself"): Deed(user(role)),
        ("removeMember", "the last owner"): Deed(user("owner"), before=alone),
        ("removeMember", "who is no member"): Deed(user("gone")),
    }


def _of_conversations(stage: Stage, role: str) -> dict[tuple[str, str], Deed]:
    def talk(what: str, **more: Any) -> Deed:
        return Deed({"id": gid("Conversation", stage.ids[f"Conversation{what}"])} | more)

    def own(what: str, **more: Any) -> Deed:
        owner, id = stage.user(role), stage.ids[f"Conversation{what}"]
        before = f"UPDATE conversations SET owner_id = '{owner}' WHERE id = '{id}'"
        return talk(what, **more)._replace(before=before)

    def among(who: str) -> Deed:
        return Deed({"title": "New", "participantIds": [gid("User", stage.user(who))]})

    return {
        ("createConversation", "with a member"): among("peer"),
        ("createConversation", "with who left"): among("gone"),
        ("renameConversation", "of another"): talk("", title="New"),
        ("renameConversation", "one's own"): own("", title="New"),
        ("deleteConversation", "of another"): talk(""),
        ("deleteConversation", "one's own"): own(""),
        ("restoreConversation", "of another"): talk(" deleted"),
        ("restoreConversation", "one's own"): own(" deleted"),
        ("markConversationRead", ""): talk(""),
    }


def _of_participants(stage: Stage, role: str) -> dict[tuple[str, str], Deed]:
    talk = stage.ids["Conversation"]
    own = f"UPDATE conversations SET owner_id = '{stage.user(role)}' WHERE id = '{talk}'"

    def place(who: str, before: str = "") -> Deed:
        user = gid("User", stage.user(who))
        return Deed({"conversationId": gid("Conversation", talk), "userId": user}, before)

    return {
        ("addParticipant", "a member"): place("coadmin"),
        ("addParticipant", "a member, to one's own"): place("coadmin", own),
        ("addParticipant", "oneself"): place(role),
        ("addParticipant", "who left"): place("left"),
        ("removeParticipant", "another"): place("peer"),
        ("removeParticipant", "another, from one's own"): place("peer", own),
        ("removeParticipant", "oneself"): place(role),
        ("removeParticipant", "who left the workspace"): place("gone"),
        ("removeParticipant", "who does not take part"): place("coadmin"),
    }


def _of_messages(stage: Stage, role: str) -> dict[tuple[str, str], Deed]:
    talk = stage.ids["Conversation"]

    def say(speaker: str, owner: str = "peer") -> Deed:
        before = f"UPDATE conversations SET owner_id = '{stage.user(owner)}' WHERE id = '{talk}'"
        given = {"conversationId": gid("Conversation", talk), "content": "New", "role": speaker}
        return Deed(given, before)

    def of(author: str, what: str, **more: Any) -> Deed:
        id = stage.ids[f"Message{what}"]
        before = f"UPDATE messages SET author_id = '{stage.user(author)}' WHERE id = '{id}'"
        return Deed({"id": gid("Message", id)} | more, before)

    return {
        ("sendMessage", "as USER"): say("USER"),
        ("sendMessage", "as ASSISTANT"): say("ASSISTANT"),
        ("sendMessage", "as SYSTEM"): say("SYSTEM"),
        ("sendMessage", "as ASSISTANT, in one's own"): say("ASSISTANT", role),
        ("sendMessage", "as SYSTEM, in one's own"): say("SYSTEM", role),
        ("editMessage", "of another"): of("peer", "", content="New"),
        ("editMessage", "one's own"): of(role, "", content="New"),
        ("deleteMessage", "of another"): of("peer", ""),
        ("deleteMessage", "one's own"): of(role, ""),
        ("restoreMessage", "of another"): of("peer", " deleted"),
        ("restoreMessage", "one's own"): of(role, " deleted"),
    }


def _of_documents(stage: Stage, role: str) -> dict[tuple[str, str], Deed]:
    own = stage.ids[f"Document deleted of {actor(role)}"]
    cases = {
        "of another": (stage.ids["Document"], ""),
        "one's own": (own, f"UPDATE documents SET deleted_at = NULL WHERE id = '{own}'"),
        "deleted, of another": (stage.ids["Document deleted"], ""),
        "deleted, one's own": (own, ""),
        "of another workspace": (stage.ids["elsewhere"], ""),
    }
    given = {"updateDocument": {"tags": ["new"]}, "deleteDocument": {}, "restoreDocument": {}}
    new = {"filename": "new.md", "contentType": "text/plain", "content": "new"}
    return {("createDocument", ""): Deed(new)} | {
        (name, case): Deed({"id": gid("Document", id)} | more, before)
        for name, more in given.items()
        for case, (id, before) in cases.items()
    }


async def observe(set_stage: SetStage, role: str) -> Cells:
    """Sets a stage anew once something has changed on it."""
    stage, found = await set_stage(), {}
    for name in deeds(stage, role):
        deed = deeds(stage, role)[name]
        if deed.before:
            await stage.cast.connection.execute(deed.before)
        before = await _state(stage)
        errors = await stage.by(role).refused(name[0], **deed.input)
        is_changed = await _state(stage) != before
        found[name] = errors[0][0] if errors else "yes"
        if errors and is_changed:
            found[name] += ", done nevertheless"
        if is_changed or deed.before:
            stage = await set_stage()
    return found


async def _state(stage: Stage) -> set[str]:
    return {row[0] for row in await stage.cast.connection.fetch(STATE)}

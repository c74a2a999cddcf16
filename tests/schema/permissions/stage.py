"""A workspace in which every role of docs/permissions.md is somebody, and there is one of
everything that they could look for.

Everybody owns another workspace too: what they may do there must not help them here.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

from core.refresh_token import fingerprint
from tests.graph import START, Cast, Client, Person
from tests.schema.signing_in import HASH

SLUG = "here"
SIGNED_OUT = "signed out"
ROLES = (SIGNED_OUT, "outsider", "member", "participant", "admin", "owner")
RANKS = {
    "member": "MEMBER",
    "participant": "MEMBER",
    "admin": "ADMIN",
    "owner": "OWNER",
    "peer": "MEMBER",
    "coadmin": "ADMIN",
    "coowner": "OWNER",
    "left": "OWNER",
    "gone": "OWNER",
    "added": "MEMBER",
}
"""Of those who are, or were, members: `left` and `gone` have left, `added` never came in."""

VIEWERS = ("outsider", "left", "member", "participant", "admin", "owner")


@dataclass
class Stage:
    cast: Cast
    client: Client
    id: UUID
    elsewhere: UUID
    people: dict[str, Person] = field(default_factory=dict)
    ids: dict[str, UUID] = field(default_factory=dict)
    """Of rows, by type and what it is."""

    def person(self, role: str) -> Person:
        return self.people[actor(role)]

    def user(self, role: str) -> UUID:
        return self.person(role).id

    def membership(self, role: str) -> UUID:
        """The outsider has none: they try that of somebody else."""
        name = actor(role)
        return self.ids[f"Membership of {name if name in RANKS else 'peer'}"]

    def by(self, role: str) -> Client:
        if role == SIGNED_OUT:
            return Client(self.client.http, {"X-Tenant": SLUG})
        return self.client.signed_in(self.people[role], SLUG)


def actor(role: str) -> str:
    """For who is signed out, somebody whom they would like to be."""
    return "member" if role == SIGNED_OUT else role


def refresh_token(role: str) -> str:
    return f"refresh token of {actor(role)}"


async def set_stage(cast: Cast, client: Client) -> Stage:
    """On a database that is as if nothing had been before."""
    await cast.connection.execute("TRUNCATE tenants, users CASCADE")
    stage = Stage(cast, client, await cast.tenant(SLUG), await cast.tenant("elsewhere"))
    for role in ("outsider", *RANKS):
        await _enter(stage, role)
    await cast.connection.execute("""UPDATE tenants SET settings = '{"key": "secret"}'""")
    await _furnish(stage)
    return stage


async def _enter(stage: Stage, role: str) -> None:
    cast = stage.cast
    person = await cast.person(
        role, stage.id, full_name=role, last_login_at=START, password_hash=HASH
    )
    await cast.insert(
        "refresh_tokens",
        session_id=person.session_id,
        token_hash=fingerprint(refresh_token(role)),
        expires_at=datetime.now(UTC) + timedelta(days=1),
    )
    await cast.connection.execute(
        "UPDATE sessions SET user_agent = 'Firefox', ip_address = '192.0.2.1' WHERE id = $1",
        person.session_id,
    )
    stage.people[role] = person
    stage.ids[f"Membership elsewhere of {role}"] = await cast.member(
        stage.elsewhere, person.id, "OWNER"
    )
    if role in RANKS:
        member = await cast.member(stage.id, person.id, RANKS[role])
        stage.ids[f"Membership of {role}"] = member
        await cast.connection.execute(
            "UPDATE memberships SET is_active = $2, entered_at = $3 WHERE id = $1",
            member,
            role not in ("left", "gone"),
            None if role == "added" else START,
        )


async def _furnish(stage: Stage) -> None:
    cast, ids, user = stage.cast, stage.ids, stage.user
    await _rows(stage, "", "peer", "participant", "gone", "added")
    await _rows(stage, " deleted", "peer", "participant", deleted_at=START)
    for role in VIEWERS:
        others = ("participant",) if role == "participant" else ()
        await _rows(stage, f" deleted of {role}", role, *others, deleted_at=START)
    talk = await cast.conversation(stage.id, user("peer"), user("member"), user("admin"))
    await cast.cite(stage.id, await cast.message(stage.id, talk, user("peer")), ids["Document"])
    ids["elsewhere"] = await cast.document(stage.elsewhere, user("peer"))
    ids["Message deleted"] = await _delete_message(stage)
    ids["AuditEvent"] = await cast.audit_event(
        stage.id,
        "member.added",
        actor_id=user("peer"),
        target_id=f"User:{user('peer')}",
        details={"role": "MEMBER"},
        ip_address="192.0.2.1",
        request_id="r",
    )


async def _rows(stage: Stage, what: str, owner: str, *others: str, **values: object) -> None:
    """A document, and a conversation between `peer` and others with a message that uses it. The
    owner of a conversation need not take part in it."""
    cast, user, peer = stage.cast, stage.user, stage.user("peer")
    document = await cast.document(
        stage.id, user(owner), tags=["tag"], metadata={"key": "secret"}, **values
    )
    talk = await cast.conversation(stage.id, peer, *map(user, others), **values)
    await cast.connection.execute(
        "UPDATE conversations SET owner_id = $2 WHERE id = $1", talk, user(owner)
    )
    message = await cast.message(stage.id, talk, peer, **_SAID)
    await cast.cite(stage.id, message, document)
    for type, id in {"Document": document, "Conversation": talk, "Message": message}.items():
        stage.ids[type + what] = id


async def _delete_message(stage: Stage) -> UUID:
    cast, talk = stage.cast, stage.ids["Conversation"]
    message = await cast.message(stage.id, talk, stage.user("participant"), **_SAID)
    await cast.cite(stage.id, message, stage.ids["Document"])
    await cast.connection.execute(
        """WITH gone AS (UPDATE messages SET deleted_at = now() WHERE id = $1)
        UPDATE conversations SET message_count = message_count - 1 WHERE id = $2""",
        message,
        talk,
    )
    return message


_SAID = {"token_count": 3, "metadata": {"key": "secret"}, "edited_at": START}

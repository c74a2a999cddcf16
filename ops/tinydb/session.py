"""Sessions, kept as ended ones."""

from typing import NamedTuple
from uuid import UUID

from core.time import moment
from ops.tinydb.fields import Fields, Rejected
from ops.tinydb.run import Columns, Entry, Run, key_at
from ops.tinydb.user import People, read_username

FIELDS = frozenset(["session_id", "username", "access_jti", "created_at", "last_activity"])
KNOWN_SESSIONS = """
SELECT u.username, s.source_id FROM sessions s JOIN users u ON u.id = s.user_id
 WHERE s.user_id = ANY($1) AND s.source_id = ANY($2)
"""


class SessionRecord(NamedTuple):
    natural_key: tuple[str, str]
    """(username, session id): a session id is unique per user."""

    created_at: int | None
    last_activity_at: int | None


def read_session(fields: Fields) -> SessionRecord:
    return SessionRecord(
        (
            read_username(fields, "sessions_without_user"),
            fields.key("session_id", "sessions_without_session_id"),
        ),
        fields.time("created_at"),
        fields.time("last_activity"),
    )


async def import_sessions(run: Run, entries: list[Entry[SessionRecord]], people: People) -> None:
    """Ended when they were last used: their tokens mean nothing here."""

    def belongs(session: SessionRecord) -> None:
        if session.natural_key[0] not in people:
            raise Rejected("sessions_without_user", "username names nobody")

    accepted = run.first_of_each("sessions", entries, belongs)
    known = await run.connection.fetch(
        KNOWN_SESSIONS,
        list({people[name] for name, _ in accepted}),
        [session for _, session in accepted],
    )
    present = {(row["username"], row["source_id"]) for row in known}
    new = [entry.record for key, entry in accepted.items() if key not in present]
    run.count("sessions", len(new), len(accepted))
    columns = ["id", "user_id", "home_tenant_id", "source_id"]
    times = ["created_at", "last_activity_at", "expires_at", "revoked_at"]
    rows = [_session(run, session, people[session.natural_key[0]]) for session in new]
    await run.copy("sessions", columns + times, rows, len(new))


def _session(run: Run, session: SessionRecord, user_id: UUID) -> Columns:
    times = [time for time in (session.created_at, session.last_activity_at) if time is not None]
    begun, ended = min(times, default=run.now), max(times, default=run.now)
    return (
        *(key_at(begun), user_id, run.tenant_id, session.natural_key[1]),
        *(moment(begun), moment(ended), moment(ended), moment(ended)),
    )

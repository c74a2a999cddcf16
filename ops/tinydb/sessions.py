"""Sessions, kept as ended ones."""

from uuid import UUID

from ops.tinydb.findings import Rejected
from ops.tinydb.people import People
from ops.tinydb.records import Entry, SessionRecord
from ops.tinydb.run import Columns, Run, key_at
from ops.tinydb.values import moment

KNOWN_SESSIONS = """
SELECT u.username, s.source_id FROM sessions s JOIN users u ON u.id = s.user_id
 WHERE s.user_id = ANY($1) AND s.source_id = ANY($2)
"""


async def import_sessions(run: Run, sessions: list[Entry[SessionRecord]], people: People) -> None:
    """Ended when they were last used: their tokens mean nothing here."""

    def belongs(session: SessionRecord) -> None:
        if session.natural_key[0] not in people:
            raise Rejected("sessions_without_user", "username names nobody")

    accepted = run.first_of_each("sessions", sessions, belongs)
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

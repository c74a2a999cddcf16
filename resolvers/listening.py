"""Who may still listen: asked of the database for many at once, in the snapshot of what they are
about to be told."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from core.errors import Forbidden, NotFound, RoleChanged, RuleError
from resolvers.access import REACHES
from resolvers.conversation_locking import NO_CONVERSATION
from resolvers.listener import Listener, MemberListener, signed_out
from resolvers.session import LIVE
from tables.engine import DB, Row


class SessionRow(Row):
    id: UUID
    user_id: UUID


class ListenerRow(Row):
    read_at: datetime
    role: str | None
    version: int | None
    """Of the conversation, if they see it."""

    forgotten_version: int


@dataclass(frozen=True, slots=True)
class Standing:
    """Of those who were asked for, at one moment."""

    refused: Mapping[Listener, RuleError]
    versions: Mapping[UUID, int]
    """Of the conversations that one of them sees."""

    forgotten_versions: Mapping[UUID, int]
    read_at: datetime | None
    """The database's time. None outside of a workspace."""


_LISTENERS = f"""SELECT now() AS read_at, mine.role, c.version, c.forgotten_version
    FROM unnest($2::uuid[], $3::uuid[]) WITH ORDINALITY AS listener (user_id, conversation_id, n)
    LEFT JOIN memberships mine
        ON mine.tenant_id = $1 AND mine.user_id = listener.user_id AND mine.is_active
    LEFT JOIN participants me ON me.tenant_id = $1
        AND me.conversation_id = listener.conversation_id AND me.user_id = listener.user_id
    LEFT JOIN conversations c ON c.tenant_id = $1 AND c.id = listener.conversation_id
        AND c.deleted_at IS NULL AND {REACHES}
    ORDER BY listener.n"""


async def standing_of(tenant_id: UUID | None, listeners: Sequence[Listener]) -> Standing:
    """In a scope of the tenant, or of none."""
    alive = await _live_sessions(listeners)
    refused: dict[Listener, RuleError] = {
        listener: signed_out()
        for listener in listeners
        if (listener.identity.user_id, listener.identity.session_id) not in alive
    }
    versions: dict[UUID, int] = {}
    forgotten: dict[UUID, int] = {}
    read_at = None
    members = [listener for listener in listeners if isinstance(listener, MemberListener)]
    for listener, row in zip(members, await _rows(tenant_id, members), strict=True):
        read_at = row.read_at
        if error := _refusal(listener, row):
            refused.setdefault(listener, error)
        elif listener.conversation_id and row.version is not None:
            versions[listener.conversation_id] = row.version
            forgotten[listener.conversation_id] = row.forgotten_version
    return Standing(refused, versions, forgotten, read_at)


async def _live_sessions(listeners: Sequence[Listener]) -> set[tuple[UUID, UUID]]:
    rows = await DB.fetch_identity(
        SessionRow,
        f"""SELECT s.id, s.user_id FROM sessions s
        JOIN users u ON u.id = s.user_id AND u.is_active
        WHERE s.id = ANY($1) AND {LIVE}""",
        list({listener.identity.session_id for listener in listeners}),
    )
    return {(row.user_id, row.id) for row in rows}


async def _rows(
    tenant_id: UUID | None, listeners: Sequence[MemberListener]
) -> Sequence[ListenerRow]:
    if not listeners:
        return ()
    return await DB.fetch(
        ListenerRow,
        _LISTENERS,
        tenant_id,
        [listener.identity.user_id for listener in listeners],
        [listener.conversation_id for listener in listeners],
    )


def _refusal(listener: MemberListener, row: ListenerRow) -> RuleError | None:
    if row.role is None:
        return Forbidden("No such workspace, or you are not a member of it.")
    if row.role != listener.role:
        return RoleChanged()
    if listener.conversation_id and row.version is None:
        return NotFound(NO_CONVERSATION, ("conversationId",))
    return None

"""What happened to messages, in the order of their conversation's versions.

A message tells of its last change; `message_changes` of those before, and of what kind the last one
was. So a message that stays as it was sent, as most do, has no row there.
"""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from core.errors import BadInput
from resolvers.loading import Known
from resolvers.message import COLUMNS, MessageRow
from tables.engine import DB

PLACE_BYTES = 10
VERSION_BYTES = 8


class ChangeKind(StrEnum):
    ADDED = "ADDED"
    EDITED = "EDITED"
    DELETED = "DELETED"
    RESTORED = "RESTORED"


@dataclass(frozen=True, slots=True)
class MessageChange:
    kind: ChangeKind
    cursor: str
    """Opaque to clients: where to go on after it."""

    message: MessageRow
    """As it was read, which may be later than the change."""

    version: int
    known: Known
    """What was read with it."""


class ChangeRow(MessageRow):
    version: int
    kind: str


class Cursors:
    """Of one conversation: they name a version, and whose it is."""

    def __init__(self, tenant_id: UUID, conversation_id: UUID) -> None:
        of = tenant_id.bytes + conversation_id.bytes
        self._place = hashlib.blake2b(of, digest_size=PLACE_BYTES).digest()

    def cursor(self, version: int) -> str:
        return base64.urlsafe_b64encode(self._place + version.to_bytes(VERSION_BYTES)).decode()

    def version(self, cursor: str) -> int:
        """Raises BadInput for all that is no cursor of this conversation."""
        try:
            packed = base64.b64decode(cursor, altchars=b"-_", validate=True)
        except ValueError:  # also of what is not ASCII
            packed = b""
        place, version = packed[:PLACE_BYTES], packed[PLACE_BYTES:]
        if place != self._place or len(version) != VERSION_BYTES:
            raise no_cursor()
        return int.from_bytes(version)

    def change(self, row: ChangeRow, known: Known) -> MessageChange:
        kind, version = ChangeKind(row.kind), row.version
        return MessageChange(kind, self.cursor(version), row, version, known)


def no_cursor() -> BadInput:
    return BadInput("Not a cursor of this conversation.", ("after",))


def logged(kind: str) -> str:
    """A part of the statement that changes message $3, beside `counted` with the new version:
    writes down the change, and the one that it follows if that was the first. `kind` is SQL."""
    return f"""logged AS (
        INSERT INTO message_changes (tenant_id, conversation_id, message_id, version, kind)
        SELECT $1, m.conversation_id, m.id, change.version, change.kind
        FROM messages m CROSS JOIN counted
        CROSS JOIN LATERAL (VALUES (m.version, 'ADDED'), (counted.version, {kind}))
            AS change (version, kind)
        WHERE m.tenant_id = $1 AND m.id = $3 AND (change.kind <> 'ADDED' OR NOT EXISTS (
            SELECT FROM message_changes mc WHERE mc.tenant_id = $1 AND mc.message_id = m.id))
    )"""


# A subquery, rather than a join, is always looked up in the index.
_LOGGED = """(SELECT mc.kind FROM message_changes mc WHERE mc.tenant_id = $1
    AND mc.conversation_id = m.conversation_id AND mc.version = m.version)"""

# Of a message without a row of its version: it is as it was sent, or psql deleted it.
_UNLOGGED = "CASE WHEN m.deleted_at IS NULL THEN 'ADDED' ELSE 'DELETED' END"

_ALL = f"""SELECT change.* FROM unnest($2::uuid[], $3::bigint[], $4::bigint[])
        AS wanted (conversation_id, after, upto)
    CROSS JOIN LATERAL (
        SELECT {COLUMNS}, m.version, {_UNLOGGED} AS kind FROM messages m
        WHERE m.tenant_id = $1 AND m.conversation_id = wanted.conversation_id
        AND m.version > wanted.after AND m.version <= wanted.upto AND {_LOGGED} IS NULL
        UNION ALL
        SELECT {COLUMNS}, mc.version, mc.kind FROM message_changes mc
        CROSS JOIN LATERAL (SELECT m.* FROM messages m
            WHERE m.tenant_id = $1 AND m.id = mc.message_id LIMIT 1) AS m
        WHERE mc.tenant_id = $1 AND mc.conversation_id = wanted.conversation_id
        AND mc.version > wanted.after AND mc.version <= wanted.upto
    ) AS change ORDER BY change.version"""


async def changes_between(
    tenant_id: UUID, windows: Mapping[UUID, tuple[int, int]]
) -> list[ChangeRow]:
    """All changes in conversations, each in its window: after the first version, up to the second.
    In the order of versions."""
    return await DB.fetch(
        ChangeRow,
        _ALL,
        tenant_id,
        list(windows),
        [after for after, _ in windows.values()],
        [upto for _, upto in windows.values()],
    )


# What is fixed, whoever writes meanwhile: the last change of each message up to version $5. It is
# the message's own, or one that was followed by others later.
_LAST = f"""SELECT {COLUMNS}, change.version, CASE
        WHEN change.kind = 'DELETED' THEN 'DELETED'
        WHEN (SELECT max(mc.version) FROM message_changes mc WHERE mc.tenant_id = $1
            AND mc.message_id = m.id AND mc.kind = 'ADDED') > $3 THEN 'ADDED'
        ELSE change.kind END AS kind
    FROM (
        SELECT m.id, m.version, coalesce({_LOGGED}, {_UNLOGGED}) AS kind
        FROM messages m WHERE m.tenant_id = $1 AND m.conversation_id = $2
        AND m.version > $4 AND m.version <= $6
        UNION ALL
        SELECT mc.message_id, mc.version, mc.kind FROM message_changes mc
        WHERE mc.tenant_id = $1 AND mc.conversation_id = $2
        AND mc.version > $4 AND mc.version <= $6
        AND (SELECT m.version FROM messages m
            WHERE m.tenant_id = $1 AND m.id = mc.message_id) > $5
        AND (SELECT max(later.version) FROM message_changes later WHERE later.tenant_id = $1
            AND later.message_id = mc.message_id AND later.version <= $5) = mc.version
    ) AS change
    CROSS JOIN LATERAL (SELECT m.* FROM messages m
        WHERE m.tenant_id = $1 AND m.id = change.id LIMIT 1) AS m
    ORDER BY change.version"""


async def last_changes_between(
    tenant_id: UUID, conversation_id: UUID, window: tuple[int, int], part: tuple[int, int]
) -> list[ChangeRow]:
    """Of each message that changed in the window its last change there, as far as that is in a part
    of it. ADDED when the message was added in the window, and was not deleted in the end: then
    DELETED is what comes, so that no sequence is missed."""
    return await DB.fetch(
        ChangeRow,
        _LAST,
        tenant_id,
        conversation_id,
        window[0],
        part[0],
        window[1],
        part[1],
    )

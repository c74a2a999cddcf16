"""What there is to be seen in a field, told by the tables alone."""

import base64
import json
import re
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from graphql import GraphQLField, get_named_type, get_nullable_type, is_composite_type, is_list_type

from tests.schema.permissions.stage import Stage
from tests.schema.permissions.ways import fields_of, is_connection, selection

BLANK = {"null", '""', "{}", "[]", "0"}
TABLES = {"AuditEvent": "audit_events", "Viewer": "users"}
LISTS = {
    "Tenant.members": "SELECT id FROM memberships WHERE tenant_id = $1 AND is_active",
    "User.conversations": """SELECT c.id FROM participants p JOIN conversations c
        ON c.id = p.conversation_id WHERE p.user_id = $1 AND c.deleted_at IS NULL""",
    "Conversation.participants": "SELECT user_id FROM participants WHERE conversation_id = $1",
    "Conversation.messages": """SELECT id FROM messages WHERE conversation_id = $1
        AND deleted_at IS NULL""",
    "Message.usedDocuments": "SELECT document_id FROM message_documents WHERE message_id = $1",
    "Document.citedBy": """SELECT m.id FROM message_documents md
        JOIN messages m ON m.id = md.message_id JOIN conversations c ON c.id = m.conversation_id
        WHERE md.document_id = $1 AND m.deleted_at IS NULL AND c.deleted_at IS NULL""",
    "Viewer.memberships": "SELECT id FROM memberships WHERE user_id = $1 AND is_active",
    "Viewer.sessions": "SELECT id FROM sessions WHERE user_id = $1",
}
"""All that is in a list."""


@dataclass(frozen=True)
class Fact:
    """A field of an object."""

    name: str
    selection: str
    whole: set[str] | None
    """The keys of all that is in a list."""

    is_blank: bool
    """Nothing is stored that could be shown."""

    def outcome(self, value: Any) -> str:
        if self.whole is not None:
            return extent(value, self.whole)
        shown = json.dumps(value)
        return shown if shown in BLANK and not self.is_blank else "yes"


def extent(value: Any, whole: set[str]) -> str:
    """How much of a list is shown."""
    nodes = value["nodes"] if isinstance(value, dict) else value
    if isinstance(value, dict) and value.get("totalCount", len(nodes)) != len(nodes):
        return f"{value['totalCount']} counted, {len(nodes)} shown"
    seen = {key(node["id"]) for node in nodes}
    if seen - whole:
        return "more than there is"
    if seen == whole:
        return "yes"
    return "some" if seen else "none"


def key(id: str) -> str:
    return base64.b64decode(id).decode().partition(":")[2]


async def facts(stage: Stage, type: str, id: UUID) -> list[Fact]:
    """Of an object, all."""
    row = await stage.cast.connection.fetchrow(
        f"SELECT * FROM {TABLES.get(type, f'{type.lower()}s')} WHERE id = $1", id
    )
    assert row is not None
    found = []
    for name, field in fields_of(type).items():
        column = re.sub("[A-Z]", lambda match: f"_{match[0].lower()}", name)
        is_blank = row.get(column, 1) in (None, "", "{}", [], 0)
        assert not is_blank or column == "deleted_at" or isinstance(row[column], bool), name
        whole = await _whole(stage, f"{type}.{name}", field, id)
        found.append(Fact(name, selection(field), whole, is_blank))
    return found


async def _whole(stage: Stage, name: str, field: GraphQLField, id: UUID) -> set[str] | None:
    is_list = is_list_type(get_nullable_type(field.type))
    if is_connection(field) or (is_list and is_composite_type(get_named_type(field.type))):
        return {str(row[0]) for row in await stage.cast.connection.fetch(LISTS[name], id)}
    return None

"""What a row says about documents, conversations and messages."""

from ops.tinydb.fields import Fields, dumped, shown
from ops.tinydb.findings import Rejected
from ops.tinydb.people_rows import username
from ops.tinydb.records import ConversationRecord, DocumentRecord, MessageRecord
from ops.tinydb.values import UNSTORABLE

MAX_TITLE = 500
MAX_TAG = 200
UNTITLED = "Untitled"
ROLES = {"user": "USER", "assistant": "ASSISTANT", "bot": "ASSISTANT", "system": "SYSTEM"}

CONVERSATION = frozenset(["conversation_id", "username", "title", "created_at"])
DOCUMENT = frozenset(
    ["document_id", "filename", "content_type", "content", "metadata", "username", "created_at"]
)
MESSAGE = frozenset(
    [
        *("message_id", "conversation_id", "role", "content", "timestamp"),
        *("token_count", "used_documents", "metadata"),
    ]
)


def document(fields: Fields) -> DocumentRecord:
    key = fields.key("document_id", "documents_without_document_id")
    filename = fields.text("filename", "documents_without_filename")
    if not filename.strip():
        raise Rejected("documents_without_filename", "filename is empty")
    content = fields.text("content", "documents_without_content")
    metadata = fields.metadata(DOCUMENT)
    tags = _tags(fields, metadata)
    return DocumentRecord(
        key,
        _owner(fields),
        fields.storable("filename", filename),
        _content_type(fields),
        fields.storable("content", content),
        dumped(metadata),
        tags,
        fields.time("created_at"),
    )


def _owner(fields: Fields) -> str | None:
    try:
        return username(fields, "")
    except Rejected as error:
        fields.note("username", f"{error.reason}: the document has no owner")
        return None


def _content_type(fields: Fields) -> str:
    value = fields.row.get("content_type")
    if isinstance(value, str) and value.strip():
        return fields.storable("content_type", value.strip())
    fields.note("content_type", f"content_type is {shown(value)}: text/plain")
    return "text/plain"


def _tags(fields: Fields, metadata: dict[str, object]) -> list[str]:
    """Moves the tags out of the metadata; what is no list of tags stays there."""
    value = metadata.get("tags")
    if value is None:
        return []
    if not isinstance(value, list):
        fields.note("tags", f"metadata.tags is {shown(value)}, not a list: no tags")
        return []
    tags = [
        tag.strip() for tag in value if isinstance(tag, str) and 0 < len(tag.strip()) <= MAX_TAG
    ]
    if len(tags) == len(value):
        del metadata["tags"]
    else:
        fields.note("tags", f"metadata.tags is {shown(value)}: not all of them are tags")
    return list(dict.fromkeys(tags))


def conversation(fields: Fields) -> ConversationRecord:
    return ConversationRecord(
        fields.key("conversation_id", "conversations_without_conversation_id"),
        username(fields, "conversations_without_owner"),
        _title(fields),
        fields.time("created_at"),
    )


def _title(fields: Fields) -> str:
    value = fields.row.get("title")
    if value is None:
        return UNTITLED
    if not isinstance(value, str):
        fields.note("title", f"title is {shown(value)}, not text: {UNTITLED}")
        return UNTITLED
    title = fields.storable("title", value.strip())
    if len(title) > MAX_TITLE:
        fields.note("title", f"title has {len(title)} characters: cut to {MAX_TITLE}")
    return title[:MAX_TITLE] or UNTITLED


def message(fields: Fields) -> MessageRecord:
    key = fields.key("message_id", "messages_without_message_id")
    role = fields.row.get("role")
    if not isinstance(role, str) or role not in ROLES:
        raise Rejected("messages_with_unknown_role", f"role is {shown(role)}")
    return MessageRecord(
        key,
        fields.key("conversation_id", "messages_without_conversation"),
        ROLES[role],
        fields.storable("content", fields.text("content", "messages_without_content")),
        fields.time("timestamp", needed=False),
        fields.count("token_count"),
        _used_documents(fields),
        dumped(fields.metadata(MESSAGE)),
    )


def _used_documents(fields: Fields) -> list[str]:
    value = fields.row.get("used_documents")
    if value is None:
        return []
    ids = value if isinstance(value, list) else [value]
    documents = [id for id in ids if isinstance(id, str) and not UNSTORABLE.search(id)]
    if documents != value:
        fields.note("used_documents", f"used_documents is {shown(value)}, not a list of ids")
    return list(dict.fromkeys(documents))

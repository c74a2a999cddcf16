from piccolo.columns import JSONB, BigInt, Bytea, Integer, SmallInt, Text, Timestamptz
from piccolo.constraints import Check, Unique
from piccolo.table import Table

from tables.base import SoftDelete, Times
from tables.columns import Reference, TSVector
from tables.constraints import ForeignKeyConstraint
from tables.conversation import Conversation
from tables.document import Document
from tables.tenant import InTenant
from tables.user import User


class Message(SoftDelete, Times, InTenant, Table, tablename="messages"):
    conversation_id = Reference(Conversation, null=False)
    author_id = Reference(User)
    sequence = Integer(help_text="Position in the conversation: 1, 2, 3 … without gaps.")
    version = BigInt(help_text="The conversation's version when this message last changed.")
    role = Text()
    content = Text()
    token_count = Integer(null=True, default=None)
    metadata = JSONB(default="{}")
    idempotency_key = Text(null=True, default=None)
    request_digest = Bytea(null=True, default=None, help_text="Of what came with the key.")
    source_id = Text(null=True, default=None, help_text="Key in the system imported from.")
    edited_at = Timestamptz(null=True, default=None)
    search = TSVector(
        null=True, default=None, help_text="Words of content, in the workspace's language."
    )

    messages_sequence_key = Unique(["tenant_id", "conversation_id", "sequence"])
    messages_version_key = Unique(["tenant_id", "conversation_id", "version"])
    messages_conversation_fkey = ForeignKeyConstraint(
        ["tenant_id", "conversation_id"], "conversations", ["tenant_id", "id"]
    )
    messages_author_fkey = ForeignKeyConstraint(["author_id"], "users", ["id"], "SET NULL")
    messages_role_check = Check("role IN ('USER', 'ASSISTANT', 'SYSTEM')")


class MessageChange(InTenant, Table, tablename="message_changes"):
    """What happened to a message that did not stay as it was sent: being added, too, once something
    else follows. Of all others, which are most, the message says it itself."""

    conversation_id = Reference(Conversation, null=False)
    message_id = Reference(Message, null=False)
    version = BigInt(help_text="The conversation's, after the change.")
    kind = Text()

    message_changes_version_key = Unique(["tenant_id", "conversation_id", "version"])
    message_changes_conversation_fkey = ForeignKeyConstraint(
        ["tenant_id", "conversation_id"], "conversations", ["tenant_id", "id"]
    )
    message_changes_message_fkey = ForeignKeyConstraint(
        ["tenant_id", "message_id"], "messages", ["tenant_id", "id"]
    )
    message_changes_kind_check = Check("kind IN ('ADDED', 'EDITED', 'DELETED', 'RESTORED')")


class MessageDocument(InTenant, Table, tablename="message_documents"):
    """A document that a message used."""

    message_id = Reference(Message, null=False)
    document_id = Reference(Document, null=False)
    position = SmallInt()

    message_documents_document_key = Unique(["tenant_id", "message_id", "document_id"])
    message_documents_message_fkey = ForeignKeyConstraint(
        ["tenant_id", "message_id"], "messages", ["tenant_id", "id"]
    )
    message_documents_document_fkey = ForeignKeyConstraint(
        ["tenant_id", "document_id"], "documents", ["tenant_id", "id"]
    )

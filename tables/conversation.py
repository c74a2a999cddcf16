from piccolo.columns import BigInt, Bytea, Integer, Text, Timestamptz
from piccolo.constraints import Check, Unique
from piccolo.table import Table

from tables.base import SoftDelete, Times
from tables.columns import Reference
from tables.constraints import ForeignKeyConstraint
from tables.tenant import InTenant
from tables.user import User


class Conversation(SoftDelete, Times, InTenant, Table, tablename="conversations"):
    short_id = Text(help_text="For URLs.")
    owner_id = Reference(User)
    title = Text()
    message_count = Integer(default=0, help_text="Messages that are not deleted.")
    last_sequence = Integer(default=0, help_text="Of the newest message, deleted or not.")
    last_message_at = Timestamptz(null=True, default=None)
    version = BigInt(default=0, help_text="Counts changes to the messages.")
    forgotten_version = BigInt(
        default=0, help_text="Changes up to this version can no longer be told one by one."
    )
    source_id = Text(null=True, default=None, help_text="Key in the system imported from.")
    idempotency_key = Text(null=True, default=None)
    request_digest = Bytea(null=True, default=None, help_text="Of what came with the key.")

    conversations_short_id_key = Unique(["tenant_id", "short_id"])
    conversations_source_id_key = Unique(["tenant_id", "source_id"])
    conversations_owner_fkey = ForeignKeyConstraint(["owner_id"], "users", ["id"], "SET NULL")
    conversations_title_check = Check("length(title) BETWEEN 1 AND 500")
    conversations_counts_check = Check("message_count BETWEEN 0 AND last_sequence")


class Participant(Times, InTenant, Table, tablename="participants"):
    conversation_id = Reference(Conversation, null=False)
    user_id = Reference(User, null=False)
    last_read_sequence = Integer(default=0)
    read_count = Integer(
        default=0,
        help_text="Messages up to last_read_sequence that are not deleted: what message_count"
        " has beyond them is unread, without counting rows.",
    )

    participants_user_key = Unique(["tenant_id", "conversation_id", "user_id"])
    participants_conversation_fkey = ForeignKeyConstraint(
        ["tenant_id", "conversation_id"], "conversations", ["tenant_id", "id"]
    )
    # Of members only: the key to `users` alone would take anybody.
    participants_member_fkey = ForeignKeyConstraint(
        ["tenant_id", "user_id"], "memberships", ["tenant_id", "user_id"]
    )

from piccolo.columns import JSONB, Text, Timestamptz
from piccolo.columns.defaults.timestamptz import TimestamptzNow
from piccolo.table import Table

from tables.columns import Reference
from tables.constraints import ForeignKeyConstraint
from tables.tenant import InTenant
from tables.user import User


class AuditEvent(InTenant, Table, tablename="audit_events"):
    """Append-only: the application's roles may insert and read."""

    action = Text(help_text='"member.role_changed", "conversation.deleted", …')
    actor_id = Reference(User)
    target_id = Text(null=True, default=None)
    details = JSONB(default="{}")
    ip_address = Text(null=True, default=None)
    request_id = Text(null=True, default=None)
    created_at = Timestamptz(default=TimestamptzNow())

    audit_events_actor_fkey = ForeignKeyConstraint(["actor_id"], "users", ["id"], "SET NULL")

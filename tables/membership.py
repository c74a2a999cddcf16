from piccolo.columns import Boolean, Text, Timestamptz
from piccolo.columns.defaults.timestamptz import TimestamptzNow
from piccolo.constraints import Check, Unique
from piccolo.table import Table

from tables.base import Times
from tables.columns import Reference
from tables.constraints import ForeignKeyConstraint
from tables.tenant import InTenant
from tables.user import User


class Membership(Times, InTenant, Table, tablename="memberships"):
    """A person in a workspace. Who left stays, inactive: old messages keep their author."""

    user_id = Reference(User, null=False)
    role = Text()
    is_active = Boolean(default=True)
    entered_at = Timestamptz(
        null=True,
        default=TimestamptzNow(),
        help_text="When they came in. NULL: they were added, and have not been here since.",
    )

    memberships_user_key = Unique(["tenant_id", "user_id"])
    memberships_user_fkey = ForeignKeyConstraint(["user_id"], "users", ["id"])
    memberships_role_check = Check("role IN ('OWNER', 'ADMIN', 'MEMBER')")

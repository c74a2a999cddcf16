from piccolo.columns import UUID, Bytea, Text, Timestamptz
from piccolo.columns.defaults.timestamptz import TimestamptzNow
from piccolo.constraints import Unique
from piccolo.table import Table

from tables.base import Global
from tables.columns import Reference
from tables.constraints import ForeignKeyConstraint
from tables.tenant import Tenant
from tables.user import User


class Session(Global, Table, tablename="sessions"):
    user_id = Reference(User, null=False)
    home_tenant_id = Reference(Tenant, help_text="The workspace when no X-Tenant is sent.")
    user_agent = Text(null=True, default=None)
    ip_address = Text(null=True, default=None)
    created_at = Timestamptz(default=TimestamptzNow())
    last_activity_at = Timestamptz(default=TimestamptzNow())
    expires_at = Timestamptz()
    revoked_at = Timestamptz(null=True, default=None)
    source_id = Text(null=True, default=None, help_text="Key in the system imported from.")

    sessions_source_id_key = Unique(["user_id", "source_id"])
    sessions_user_fkey = ForeignKeyConstraint(["user_id"], "users", ["id"])
    sessions_home_tenant_fkey = ForeignKeyConstraint(
        ["home_tenant_id"], "tenants", ["id"], "SET NULL"
    )


class RefreshToken(Global, Table, tablename="refresh_tokens"):
    session_id = Reference(Session, null=False)
    token_hash = Bytea(secret=True)
    parent_id = UUID(null=True, default=None, help_text="The token that this one replaced.")
    created_at = Timestamptz(default=TimestamptzNow())
    expires_at = Timestamptz()
    used_at = Timestamptz(null=True, default=None)

    refresh_tokens_token_hash_key = Unique(["token_hash"])
    refresh_tokens_session_fkey = ForeignKeyConstraint(["session_id"], "sessions", ["id"])

from piccolo.columns import Boolean, Text, Timestamptz
from piccolo.constraints import Check, Unique
from piccolo.table import Table

from tables.base import Global, Times


class User(Times, Global, Table, tablename="users"):
    username = Text(help_text="After strip and casefold.")
    email = Text(null=True, default=None, help_text="After strip and casefold.")
    password_hash = Text(null=True, default=None, secret=True, help_text="NULL: unusable.")
    full_name = Text(null=True, default=None)
    is_active = Boolean(default=True)
    is_superuser = Boolean(default=False)
    last_login_at = Timestamptz(null=True, default=None)

    users_username_key = Unique(["username"])
    users_email_key = Unique(["email"])
    users_username_check = Check("length(username) BETWEEN 1 AND 150")

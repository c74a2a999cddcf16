"""What a row says about people and their sessions."""

import re

from core.text import normalised
from ops.tinydb.fields import Fields, shown
from ops.tinydb.findings import Rejected
from ops.tinydb.records import SessionRecord, UserRecord

MAX_USERNAME = 150
MAX_EMAIL = 254
MAX_ITERATIONS = 10_000_000

_HASH = re.compile(
    r"(pbkdf2_sha256\$([1-9][0-9]{0,7})\$[^$\0\ud800-\udfff]{1,200}\$)([0-9a-fA-F]{64})"
)
_EMAIL = re.compile(r"[^@\s\0\ud800-\udfff]+@[^@\s\0\ud800-\udfff]+")

USER = frozenset(["username", "email", "password_hash", "is_active", "created_at"])
SESSION = frozenset(["session_id", "username", "access_jti", "created_at", "last_activity"])


def username(fields: Fields, code: str) -> str:
    name = normalised(fields.key("username", code))
    if len(name) > MAX_USERNAME:
        raise Rejected(code, f"username has more than {MAX_USERNAME} characters")
    return name


def user(fields: Fields) -> UserRecord:
    return UserRecord(
        username(fields, "users_without_username"),
        _email(fields),
        _password_hash(fields),
        _is_active(fields),
        fields.time("created_at"),
    )


def _email(fields: Fields) -> str | None:
    value = fields.row.get("email")
    if value is None or value == "":
        return None
    if isinstance(value, str):
        email = normalised(value)
        if len(email) <= MAX_EMAIL and _EMAIL.fullmatch(email):
            return email
    fields.note("email", f"email is {shown(value)}, not an address: left out")
    return None


def _password_hash(fields: Fields) -> str | None:
    """None: unusable. A hash with more iterations than anyone uses would make a sign-in last."""
    value = fields.row.get("password_hash")
    if value is None or value == "":
        return None
    match = _HASH.fullmatch(value) if isinstance(value, str) else None
    if match and int(match[2]) <= MAX_ITERATIONS:
        return match[1] + match[3].lower()
    fields.note("password_hash", "password_hash is no pbkdf2_sha256 hash: unusable")
    return None


def _is_active(fields: Fields) -> bool:
    value = fields.row.get("is_active")
    if value is None or value in (True, False):  # also 1 and 0
        return value is None or bool(value)
    fields.note("is_active", f"is_active is {shown(value)}: taken as false")
    return False


def session(fields: Fields) -> SessionRecord:
    return SessionRecord(
        (
            username(fields, "sessions_without_user"),
            fields.key("session_id", "sessions_without_session_id"),
        ),
        fields.time("created_at"),
        fields.time("last_activity"),
    )

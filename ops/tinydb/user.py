"""Users, who are global, and their memberships in the workspace."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from core.passwords import MAX_ITERATIONS
from core.text import UNSTORABLE, normalised, normalised_email
from core.time import moment
from ops.tinydb.fields import Fields, Rejected, shown
from ops.tinydb.file import CannotImport
from ops.tinydb.run import Columns, Entry, Run, Workspace, key_at

MAX_USERNAME = 150
MAX_EMAIL = 254
FIELDS = frozenset(["username", "email", "password_hash", "is_active", "created_at"])

_HASH = re.compile(r"(pbkdf2_sha256\$([1-9][0-9]{0,7})\$[^$]{1,200}\$)([0-9a-fA-F]{64})")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")

People = Mapping[str, UUID]
"""User ids by username: who the file has, and who of those it names was a member before."""

ACCOUNT = ["id", "username", "email", "password_hash", "is_active", "created_at", "updated_at"]
ACCOUNTS = """
SELECT username, id, password_hash IS NOT NULL AS has_password FROM users WHERE username = ANY($1)
"""


class UserRecord(NamedTuple):
    natural_key: str
    email: str | None
    password_hash: str | None
    is_active: bool
    created_at: int | None


@dataclass(frozen=True)
class Account:
    id: UUID
    has_password: bool


def read_username(fields: Fields, code: str) -> str:
    name = normalised(fields.key("username", code))
    if len(name) > MAX_USERNAME:
        raise Rejected(code, f"username has more than {MAX_USERNAME} characters")
    return name


def read_user(fields: Fields) -> UserRecord:
    return UserRecord(
        read_username(fields, "users_without_username"),
        _email(fields),
        _password_hash(fields),
        _is_active(fields),
        fields.time("created_at"),
    )


def _email(fields: Fields) -> str | None:
    value = fields.row.get("email")
    if value is None or value == "":
        return None
    if isinstance(value, str) and not UNSTORABLE.search(value):
        email = normalised_email(value)
        if len(email) <= MAX_EMAIL and _EMAIL.fullmatch(email):
            return email
    fields.note("email", f"email is {shown(value)}, not an address: left out")
    return None


def _password_hash(fields: Fields) -> str | None:
    """None: unusable. A hash with more iterations than anyone uses would make a sign-in last."""
    value = fields.row.get("password_hash")
    if value is None or value == "":
        return None
    if isinstance(value, str) and not UNSTORABLE.search(value):
        match = _HASH.fullmatch(value)
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


async def import_users(
    run: Run, workspace: Workspace, entries: list[Entry[UserRecord]], owner: str | None
) -> tuple[People, int]:
    """Also returns how many of the file's users have no password.

    Who has an account keeps it as it is, who is a member keeps the role. Raises CannotImport when
    there is nobody to own the workspace, or `owner` is nobody.
    """
    users = run.first_of_each("users", entries)
    new_owner = _new_owner(workspace, users, owner)
    accounts = await _accounts(run, users)
    members = {name: users[name] for name in users if name not in workspace.members}
    run.count("users", len(members), len(users))
    await run.copy(
        "memberships",
        ["tenant_id", "id", "user_id", "role", "created_at", "updated_at"],
        [
            _membership(run, entry.record, accounts[name].id, name == new_owner)
            for name, entry in members.items()
        ],
        len(members),
    )
    people = workspace.members | {name: account.id for name, account in accounts.items()}
    return people, sum(not account.has_password for account in accounts.values())


def _new_owner(
    workspace: Workspace, users: Mapping[str, Entry[UserRecord]], owner: str | None
) -> str | None:
    """Who shall join as OWNER. Only a new or ownerless workspace takes the file's first user."""
    if owner is not None and owner not in users and owner not in workspace.members:
        raise CannotImport(f"--owner {owner!r} is neither in the file nor in the workspace")
    if workspace.made and not users:
        raise CannotImport("no row of users is valid: a new workspace would belong to nobody")
    if owner is not None or workspace.has_owner:
        return owner
    return next(iter(users), None)


def _membership(run: Run, user: UserRecord, id: UUID, owns: bool) -> Columns:
    time = run.now if user.created_at is None else user.created_at
    role = "OWNER" if owns else "MEMBER"
    return run.tenant_id, key_at(time), id, role, moment(time), moment(time)


async def _accounts(run: Run, users: Mapping[str, Entry[UserRecord]]) -> dict[str, Account]:
    """Of all `users`; makes those that are missing."""
    known = await run.connection.fetch(ACCOUNTS, list(users))
    accounts = {row["username"]: Account(row["id"], row["has_password"]) for row in known}
    new = [entry for name, entry in users.items() if name not in accounts]
    emails = await _free_emails(run, new)
    rows: list[Columns] = []
    # In one order whatever the file's: two imports that make the same people cannot deadlock.
    for entry in sorted(new, key=lambda entry: entry.record.natural_key):
        user = entry.record
        time = run.now if user.created_at is None else user.created_at
        accounts[user.natural_key] = account = Account(key_at(time), bool(user.password_hash))
        email = user.email if emails.get(user.email) is entry else None
        times = (moment(time), moment(time))
        rows.append(
            (account.id, user.natural_key, email, user.password_hash, user.is_active, *times)
        )
    await run.copy("users", ACCOUNT, rows, len(rows))
    return accounts


async def _free_emails(
    run: Run, new: list[Entry[UserRecord]]
) -> dict[str | None, Entry[UserRecord]]:
    """Whose each address becomes. One that somebody has already stays theirs."""
    wanted = [entry.record.email for entry in new if entry.record.email]
    rows = await run.connection.fetch("SELECT email FROM users WHERE email = ANY($1)", wanted)
    taken = {row["email"] for row in rows}
    free: dict[str | None, Entry[UserRecord]] = {}
    for entry in new:
        email = entry.record.email
        if email is None:
            continue
        if email in taken:
            run.adjusted("users", entry, "email", "the email is another user's: left out")
        else:
            taken.add(email)
            free[email] = entry
    return free

"""Users, who are global, and their memberships in the workspace."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from ops.tinydb.file import CannotImport
from ops.tinydb.reading import Reading
from ops.tinydb.records import Entry, UserRecord
from ops.tinydb.run import Columns, Run, key_at
from ops.tinydb.values import moment
from ops.tinydb.workspace import Workspace

People = Mapping[str, UUID]
"""User ids by username: who the file has, and who of those it names was a member before."""

ACCOUNT = ["id", "username", "email", "password_hash", "is_active", "created_at", "updated_at"]
ACCOUNTS = """
SELECT username, id, password_hash IS NOT NULL AS has_password FROM users WHERE username = ANY($1)
"""


@dataclass(frozen=True)
class Account:
    id: UUID
    has_password: bool


def names(reading: Reading, owner: str | None) -> set[str]:
    """Everybody that the file or the command names."""
    return {
        *(entry.record.natural_key for entry in reading.users),
        *(entry.record.owner for entry in reading.conversations),
        *(entry.record.owner for entry in reading.documents if entry.record.owner),
        *(entry.record.natural_key[0] for entry in reading.sessions),
        *([owner] if owner else []),
    }


async def import_people(
    run: Run, workspace: Workspace, reading: Reading, owner: str | None
) -> tuple[People, int]:
    """Also returns how many of the file's users have no password.

    Who has an account keeps it as it is, who is a member keeps the role. Raises CannotImport when
    there is nobody to own the workspace, or `owner` is nobody.
    """
    users = run.first_of_each("users", reading.users)
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

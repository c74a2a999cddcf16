"""What a row says, once read. `natural_key` is what it is known by; times are microseconds since
1970; references are natural keys, resolved later: they may point into the database."""

from typing import Generic, NamedTuple, TypeVar


class UserRecord(NamedTuple):
    natural_key: str
    email: str | None
    password_hash: str | None
    is_active: bool
    created_at: int | None


class DocumentRecord(NamedTuple):
    natural_key: str
    owner: str | None
    filename: str
    content_type: str
    content: str
    metadata: str
    """JSON, without the tags."""

    tags: list[str]
    created_at: int | None


class ConversationRecord(NamedTuple):
    natural_key: str
    owner: str
    title: str
    created_at: int | None


class MessageRecord(NamedTuple):
    natural_key: str
    conversation: str
    role: str
    content: str
    time: int | None
    token_count: int | None
    documents: list[str]
    """Each once, in the order of use."""

    metadata: str
    """JSON."""


class SessionRecord(NamedTuple):
    natural_key: tuple[str, str]
    """(username, session id): a session id is unique per user."""

    created_at: int | None
    last_activity_at: int | None


Record = TypeVar(
    "Record",
    bound=UserRecord | DocumentRecord | ConversationRecord | MessageRecord | SessionRecord,
)


class Entry(NamedTuple, Generic[Record]):
    """A record with where it came from, for what is found out about it later."""

    key: str
    row: object
    record: Record

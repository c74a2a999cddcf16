"""A file like those of a product that was used for years: many messages, and known defects."""

import hashlib
from datetime import UTC, datetime
from functools import cache
from typing import Any

from tests.ops.chat_file import T0, Tables, conversation, document, message, session, user

ROUNDS = 1000
USERS, CONVERSATIONS, MESSAGES, DOCUMENTS, SESSIONS = 40, 300, 40, 5, 4

EXPECTED: dict[str, Any] = {
    "users": USERS,
    "users_without_password": 4,
    "conversations": CONVERSATIONS,
    "messages": CONVERSATIONS * MESSAGES,  # more than one batch of COPY
    "documents": DOCUMENTS,
    "sessions": SESSIONS,
    "duplicates": {"users": 2, "conversations": 1, "messages": 5},
    "rejected": {
        "conversations_without_owner": 2,
        "messages_without_conversation": 3,
        "messages_with_unknown_role": 2,
    },
    "messages_without_timestamp": CONVERSATIONS,
}


@cache
def hashed(number: int) -> str:
    """Of the password password-007, for user 7."""
    salt = f"salt{number}"
    digest = hashlib.pbkdf2_hmac("sha256", f"password-{number:03}".encode(), salt.encode(), ROUNDS)
    return f"pbkdf2_sha256${ROUNDS}${salt}${digest.hex()}"


def written(seconds: int) -> object:
    """A time in one of the ways that files have."""
    time = datetime.fromtimestamp(seconds, UTC)
    ways: list[object] = [time.isoformat(), f"{time:%Y-%m-%dT%H:%M:%SZ}", seconds]
    return [*ways, f"{time:%Y-%m-%dT%H:%M:%S}"][seconds % 4]


def big_file() -> Tables:
    """What EXPECTED is of."""
    people = [
        user(name(number), password_hash=hashed(number) if number % 10 else None)
        for number in range(USERS)
    ]
    talks = [
        conversation(f"c{number}", name(number % USERS).upper(), created_at=written(T0 + number))
        for number in range(CONVERSATIONS)
    ]
    said = [said_in(talk, place) for talk in range(CONVERSATIONS) for place in range(MESSAGES)]
    nowhere = [message(f"nowhere-{number}", "missing") for number in range(3)]
    unheard = [message(f"unheard-{number}", "c1", role="tool") for number in range(2)]
    return {
        "users": [*people, *people[:2]],
        "documents": [document(f"d{number}", name(number)) for number in range(DOCUMENTS)],
        "conversations": [
            *(conversation("lost-1", "nobody"), conversation("lost-2", "nobody")),
            *(*talks, talks[0]),
        ],
        "messages": [*nowhere, *said[:5], *said, *unheard],
        "sessions": [session(f"s{number}", name(number)) for number in range(SESSIONS)],
    }


def name(number: int) -> str:
    return f"user-{number:03}"


def said_in(talk: int, place: int) -> dict[str, object]:
    known = place != MESSAGES // 2
    return message(
        f"m{talk}-{place}",
        f"c{talk}",
        role="bot" if place % 2 else "user",
        timestamp=written(T0 + talk + 60 * place) if known else None,
        used_documents=[f"d{place % DOCUMENTS}"] if place % 2 else [],
    )

"""Passwords: hashed with Argon2id, verified as they were hashed, refused when easily guessed.

- Argon2id, and its parameters: RFC 9106; OWASP, Password Storage Cheat Sheet.
- Length, normalisation, no rules of composition: NIST SP 800-63B (revision 3), 5.1.1.2.
- No sign-in tells whether there is such a person: OWASP, Authentication Cheat Sheet.

Imported hashes are `pbkdf2_sha256$ITERATIONS$SALT$HEX`, of password and salt in UTF-8.
"""

import asyncio
import base64
import hashlib
import hmac
import os
import re
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import Self, TypeVar

from argon2 import Parameters, PasswordHasher, extract_parameters
from argon2.exceptions import VerificationError, VerifyMismatchError
from zxcvbn import zxcvbn  # type: ignore[import-untyped]

from core.errors import BadInput, RateLimited
from core.settings import Settings
from core.text import UNSTORABLE, storable

Result = TypeVar("Result")

SHORTEST = 8  # characters, as are the next three
LONGEST = 1024
LONGEST_HASH = 512
GUESSED = 24
"""How much of a password is guessed at. Of 24 characters that could all stand for letters zxcvbn
makes 0.3 s of work, of the 72 that it would take ten times as much; and 24 that are easily guessed
are no good beginning."""

FEWEST_GUESSES = 2  # zxcvbn's score: a million guesses, of 0 to 4
MOST_PERSONAL_WORDS = 20

MOST_WAITING = 200  # a few seconds of hashing

MAX_ITERATIONS = 10_000_000
"""Of PBKDF2. More than anyone uses, which would make a sign-in last."""

# What a stored Argon2 hash may cost, unless we hash so ourselves. It names its parameters: one
# made by another program could ask for all memory that there is.
MAX_MEMORY_KIB = 256 * 1024
MAX_WORK_KIB = 1024 * 1024  # memory, times passes over it
MAX_PARALLELISM = 16

_PBKDF2 = re.compile(r"pbkdf2_sha256\$([1-9][0-9]{0,7})\$([^$]{1,200})\$([0-9a-f]{64})")
_WORD = re.compile(r"\w{3,}")
_GUESSING = Lock()  # zxcvbn keeps the words of whom it is asked about in a global

GUESSABLE = (
    "Is easily guessed: use, for example, four words that have nothing to do with each other or"
    " with you."
)


class UnusableHash(Exception):
    """Says nothing of any password, and took no time to find out."""


class Threads:
    """A few, with a queue that ends: whoever floods us gets an answer, and whoever comes then does
    not wait behind all of it."""

    def __init__(self, count: int, name: str) -> None:
        self._executor = ThreadPoolExecutor(count, name)
        self._waiting = 0

    async def run(self, work: Callable[[], Result]) -> Result:
        """Raises RateLimited when too much is waiting."""
        if self._waiting >= MOST_WAITING:
            raise RateLimited(retry_after=1.0)
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, work)
        finally:
            self._waiting -= 1

    def close(self) -> None:
        self._executor.shutdown(wait=False, cancel_futures=True)


class Passwords:
    """Works in threads of its own, one for each processor: however many sign in at once, memory is
    bounded, and what else needs a thread gets one."""

    def __init__(self, hasher: PasswordHasher) -> None:
        self._hasher = hasher
        self._nobodys = _nobodys_hash(hasher)
        self._workers = Threads(os.cpu_count() or 1, "passwords")
        # Argon2 and PBKDF2 let other threads run, zxcvbn does not: one of it is enough.
        self._guesser = Threads(1, "guesses")

    @classmethod
    def of(cls, settings: Settings) -> Self:
        return cls(
            PasswordHasher(
                time_cost=settings.argon2_time_cost,
                memory_cost=settings.argon2_memory_kib,
                parallelism=settings.argon2_parallelism,
            )
        )

    async def hash(self, password: str) -> str:
        """As a PHC string. Raises BadInput for what `verify` could not take, not for what is
        easily guessed."""
        text = _normalised(_fit(password, "password"))
        return await self._workers.run(lambda: self._hasher.hash(text))

    async def verify(self, password: str, stored: str | None) -> bool:
        """Without a usable hash, or with a password that can have none, it takes as long as with a
        wrong one."""
        return await self._workers.run(lambda: self._verify(password, stored))

    def is_outdated(self, stored: str) -> bool:
        """Whether it was made in another way than `hash` does now."""
        try:
            return self._hasher.check_needs_rehash(stored)
        except ValueError:
            return True

    async def check_strength(self, password: str, *personal: str, field: str = "password") -> None:
        """`personal` is what others know of the person: names, addresses. Raises BadInput."""
        text = _normalised(_fit(password, field))
        if len(text) < SHORTEST:
            raise BadInput(f"Must have at least {SHORTEST} characters.", (field,))
        if await self._guesser.run(lambda: _is_guessable(text, personal)):
            raise BadInput(GUESSABLE, (field,))

    def close(self) -> None:
        """What has not begun is cancelled."""
        for threads in (self._workers, self._guesser):
            threads.close()

    def _verify(self, password: str, stored: str | None) -> bool:
        try:
            return self._matches(_fit(password, "password"), stored or "")
        except (BadInput, UnusableHash):
            self._matches_argon2("", self._nobodys)
            return False

    def _matches(self, password: str, stored: str) -> bool:
        """Raises UnusableHash."""
        if len(stored) > LONGEST_HASH or UNSTORABLE.search(stored):
            raise UnusableHash
        if imported := _PBKDF2.fullmatch(stored):
            return _matches_pbkdf2(password, int(imported[1]), imported[2], imported[3])
        self._refuse_excess(stored)
        return self._matches_argon2(_normalised(password), stored)

    def _matches_argon2(self, password: str, stored: str) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except VerifyMismatchError:
            return False
        except (VerificationError, ValueError) as error:
            raise UnusableHash from error

    def _refuse_excess(self, stored: str) -> None:
        try:
            asked = extract_parameters(stored)
        except ValueError as error:
            raise UnusableHash from error
        if _is_excessive(asked) and self.is_outdated(stored):
            raise UnusableHash


def _is_excessive(asked: Parameters) -> bool:
    return (
        asked.memory_cost > MAX_MEMORY_KIB
        or asked.memory_cost * asked.time_cost > MAX_WORK_KIB
        or asked.parallelism > MAX_PARALLELISM
    )


def _matches_pbkdf2(password: str, iterations: int, salt: str, digest: str) -> bool:
    """The password as it was given: so they were hashed."""
    if iterations > MAX_ITERATIONS:
        raise UnusableHash
    made = hashlib.pbkdf2_hmac("sha256", password.encode(), salt.encode(), iterations)
    return hmac.compare_digest(made.hex(), digest)


def _nobodys_hash(hasher: PasswordHasher) -> str:
    """No password is known to have it, or can be found: random bytes, not made by hashing."""
    salt, digest = (
        base64.b64encode(os.urandom(size)).rstrip(b"=").decode()
        for size in (hasher.salt_len, hasher.hash_len)
    )
    costs = f"m={hasher.memory_cost},t={hasher.time_cost},p={hasher.parallelism}"
    return f"$argon2id$v=19${costs}${salt}${digest}"


def _fit(password: str, field: str) -> str:
    """Raises BadInput for a password that nobody can have."""
    if len(password) > LONGEST:
        raise BadInput(f"Must have at most {LONGEST:,} characters.", (field,))
    return storable(password, field)


def _normalised(password: str) -> str:
    """The same letters, typed on another keyboard, are the same password."""
    return unicodedata.normalize("NFKC", password)


def _is_guessable(password: str, personal: tuple[str, ...]) -> bool:
    with _GUESSING:
        guessed = zxcvbn(password[:GUESSED], _personal_words(personal))
    score: int = guessed["score"]
    return score < FEWEST_GUESSES


def _personal_words(personal: tuple[str, ...]) -> list[str]:
    """Each as it stands, then the words in them."""
    whole = [_normalised(text[:LONGEST])[:GUESSED] for text in personal]
    words = [word[:GUESSED] for text in personal for word in _WORD.findall(text[:LONGEST])]
    return (whole + words)[:MOST_PERSONAL_WORDS]

import asyncio
import hashlib
import logging
import statistics
import sys
import threading
import time
import traceback
import unicodedata
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from argon2 import PasswordHasher

from core import passwords as module
from core.errors import BadInput, RateLimited
from core.passwords import LONGEST, MAX_ITERATIONS, Passwords
from core.settings import Settings

PASSWORD = "correct horse battery staple"

# Of the reference implementation's tests; those of RFC 9106 have a key.
KNOWN_PASSWORD = "password"
KNOWN_HASH = (
    "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
)


def of(memory_kib: int = 1024, time_cost: int = 1, parallelism: int = 1) -> Passwords:
    return Passwords.of(
        Settings(
            argon2_memory_kib=memory_kib,
            argon2_time_cost=time_cost,
            argon2_parallelism=parallelism,
        )
    )


@pytest.fixture
async def passwords() -> AsyncIterator[Passwords]:
    """Cheap ones."""
    passwords = of()
    yield passwords
    passwords.close()


@pytest.fixture
async def costly() -> AsyncIterator[Passwords]:
    """Enough work to be measured."""
    passwords = of(8 * 1024, 3)
    yield passwords
    passwords.close()


def imported(password: str = PASSWORD, rounds: object = 1000, salt: str = "s\u00e4lt") -> str:
    digest = hashlib.pbkdf2_hmac("sha256", password.encode(), salt.encode(), 1000).hex()
    return f"pbkdf2_sha256${rounds}${salt}${digest}"


def made(time_cost: int, memory_kib: int, parallelism: int, salt: bytes = b"s" * 16) -> str:
    return PasswordHasher(time_cost, memory_kib, parallelism).hash(PASSWORD, salt=salt)


def argon2(**changes: int) -> str:
    """Of PASSWORD, always the same. What is changed is only claimed."""
    stored = made(1, 1024, 1)
    for name, value in changes.items():
        old = {"m": "m=1024", "t": "t=1", "p": "p=1"}[name]
        stored = stored.replace(f"{old},", f"{name}={value},").replace(
            f"{old}$", f"{name}={value}$"
        )
    return stored


async def test_what_was_hashed_is_verified(passwords: Passwords) -> None:
    stored = await passwords.hash(PASSWORD)
    assert stored.startswith("$argon2id$v=19$m=1024,t=1,p=1$")
    assert await passwords.verify(PASSWORD, stored)
    assert not await passwords.verify(PASSWORD + "r", stored)
    assert not await passwords.verify(PASSWORD.upper(), stored)
    assert not await passwords.verify("", stored)


async def test_the_parameters_of_the_settings() -> None:
    passwords = of(2048, 3, 2)
    assert (await passwords.hash(PASSWORD)).startswith("$argon2id$v=19$m=2048,t=3,p=2$")
    passwords.close()


async def test_every_hash_is_another_one(passwords: Passwords) -> None:
    assert len({await passwords.hash(PASSWORD) for _ in range(5)}) == 5


async def test_known_hashes(passwords: Passwords) -> None:
    assert await passwords.verify(KNOWN_PASSWORD, KNOWN_HASH)
    assert not await passwords.verify("differentpassword", KNOWN_HASH)
    # Of Python's documentation of hashlib.pbkdf2_hmac.
    documented = "15530bba69924174860db778f2c6f8104d3aaf9d26241840c8c4a641c8d000a9"
    assert await passwords.verify("password", f"pbkdf2_sha256$500000${'bad salt' * 2}${documented}")


async def test_imported_hashes(passwords: Passwords) -> None:
    assert await passwords.verify(PASSWORD, imported())
    assert not await passwords.verify(PASSWORD + "r", imported())
    assert not await passwords.verify("", imported())
    assert await passwords.verify("pass", imported("pass"))  # rules are for new ones


@pytest.mark.parametrize(
    "stored",
    [
        None,
        "",
        "!",
        "plain",
        PASSWORD,
        "$",
        "$argon2id$",
        KNOWN_HASH[:-1],
        KNOWN_HASH + "x" * 600,
        KNOWN_HASH.replace("c29t", "c2\u00e9t"),
        KNOWN_HASH.replace("argon2id", "argon2x"),
        KNOWN_HASH.replace("m=65536,", ""),
        KNOWN_HASH.replace("m=65536", "m=-1"),
        KNOWN_HASH.replace("m=65536", "m=\u0661"),
        KNOWN_HASH.replace("p=1", "p=0"),
        imported().upper(),
        imported(rounds=0),
        imported(rounds="01000"),
        imported(rounds="\u0661000"),
        imported(rounds=MAX_ITERATIONS + 1),
        imported(rounds="9" * 400),
        imported(salt=""),
        imported(salt="s" * 201),
        imported(salt="s$s"),
        imported()[:-1],
        imported() + "\n",
        imported().replace("lt", "\ud800"),
        imported().replace("lt", "\0"),
        imported().replace("sha256", "sha1"),
        "bcrypt$" + imported(),
    ],
)
async def test_unusable_hashes(passwords: Passwords, stored: str | None) -> None:
    password = KNOWN_PASSWORD if stored and "argon" in stored else PASSWORD
    assert not await passwords.verify(password, stored)
    assert not await passwords.verify(stored or "", stored)


async def test_nobody_has_the_hash_that_stands_in(passwords: Passwords) -> None:
    """It costs what ours cost: only then does the time not tell."""
    assert not passwords.is_outdated(passwords._nobodys)
    assert passwords._nobodys != of()._nobodys
    assert not await passwords.verify("", passwords._nobodys)


@pytest.mark.parametrize(
    "changes",
    [
        {"m": 64 * 1024 * 1024},
        {"m": 2**32 - 1},
        {"m": 10**30},
        {"t": 10_000_000},
        {"m": 256 * 1024, "t": 5},
        {"p": 17},
        {"p": 2**24 - 1},
    ],
)
async def test_what_another_hash_may_cost(
    passwords: Passwords, changes: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    worked_on: list[str] = []

    def note(password: str, stored: str) -> bool:
        worked_on.append(stored)
        return True

    monkeypatch.setattr(passwords, "_matches_argon2", note)
    assert not await passwords.verify(PASSWORD, argon2(**changes))
    assert await passwords.verify(PASSWORD, argon2(m=256 * 1024, t=4, p=16))
    assert worked_on == [passwords._nobodys, argon2(m=256 * 1024, t=4, p=16)]


async def test_whatever_ours_cost_is_fine(monkeypatch: pytest.MonkeyPatch) -> None:
    dear, cheap = of(4096), of(1024)
    stored = await dear.hash(PASSWORD)
    monkeypatch.setattr(module, "MAX_MEMORY_KIB", 2048)
    assert await dear.verify(PASSWORD, stored)
    assert not await cheap.verify(PASSWORD, stored)
    dear.close()
    cheap.close()


@pytest.mark.parametrize(
    ("stored", "outdated"),
    [
        (argon2(), False),
        (made(2, 1024, 1), True),
        (made(1, 2048, 1), True),
        (made(1, 1024, 2), True),
        (made(1, 1024, 1, b"s" * 8), True),
        (argon2().replace("argon2id", "argon2i"), True),
        (argon2().replace("v=19", "v=16"), True),
        (imported(), True),
        ("", True),
        ("\ud800", True),
    ],
)
async def test_outdated_hashes(passwords: Passwords, stored: str, outdated: bool) -> None:
    assert passwords.is_outdated(stored) is outdated


async def test_the_same_letters_of_another_keyboard(passwords: Passwords) -> None:
    composed, decomposed = (unicodedata.normalize(form, "Zürich Übung") for form in ("NFC", "NFD"))
    assert composed != decomposed
    assert await passwords.verify(decomposed, await passwords.hash(composed))
    assert await passwords.verify(composed, await passwords.hash(decomposed))
    assert await passwords.verify("ﬁreﬁghter②", await passwords.hash("firefighter2"))


async def test_imported_passwords_were_hashed_as_they_were_typed(passwords: Passwords) -> None:
    assert await passwords.verify("ﬁreﬁghter", imported("ﬁreﬁghter"))
    assert not await passwords.verify("firefighter", imported("ﬁreﬁghter"))


@pytest.mark.parametrize("password", ["a" * (LONGEST + 1), "secret\0password", "secret\ud800"])
async def test_passwords_that_nobody_can_have(passwords: Passwords, password: str) -> None:
    with pytest.raises(BadInput):
        await passwords.hash(password)
    for stored in (await passwords.hash(""), imported("x"), None):
        assert not await passwords.verify(password, stored)


async def test_the_longest_password(passwords: Passwords) -> None:
    longest = "\U0001f40e" * LONGEST
    stored = await passwords.hash(longest)
    assert await passwords.verify(longest, stored)
    assert not await passwords.verify(longest[:-1] + "a", stored)


NAMES = ("kvothe", "Kvothe Arliden-Eolian", "kvothe.arliden@example.com")


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("", "at least 8"),
        ("x7Gk!2p", "at least 8"),
        ("e\u0301" * 7, "at least 8"),
        ("a" * (LONGEST + 1), "at most 1,024"),
        ("x7Gk!2pLq\0", "NUL"),
        ("x7Gk!2pLq\ud800", "Unicode"),
        ("password", "guessed"),
        ("\uff50\uff41\uff53\uff53\uff57\uff4f\uff52\uff44", "guessed"),
        ("12345678", "guessed"),
        ("1234567890", "guessed"),
        ("qwertyuiop", "guessed"),
        ("Password123!", "guessed"),
        ("p4$$w0rd", "guessed"),
        ("aaaaaaaaaaaaaa", "guessed"),
        ("a" * LONGEST, "guessed"),
        ("password" * 100, "guessed"),
        ("kvothe", "at least 8"),
        ("kvothekvothe", "guessed"),
        ("kvothe1999", "guessed"),
        ("Arliden1", "guessed"),
        ("Kvothe Arliden-Eolian", "guessed"),
        ("kvothe.arliden@example.com", "guessed"),
    ],
)
async def test_weak_passwords(passwords: Passwords, password: str, reason: str) -> None:
    with pytest.raises(BadInput, match=reason) as caught:
        await passwords.check_strength(password, *NAMES, field="newPassword")
    assert caught.value.field == ("newPassword",)
    assert not password or password not in caught.value.message


@pytest.mark.parametrize(
    "password",
    [
        PASSWORD,
        "x7Gk!2pLq",
        "secret-password",
        "größenwahn übt",
        "🐎🔋📎🚲🌧️🧇🎺🪁",
        "пароль из слов",
        "kvothe plays the lute badly",
        "arliden-theft",
        (PASSWORD + " ") * 40,
        "x7Gk!2pLq" * 200,
    ],
)
async def test_strong_passwords(passwords: Passwords, password: str) -> None:
    await passwords.check_strength(password[:LONGEST], *NAMES)


async def test_names_of_others_may_be_used(passwords: Passwords) -> None:
    with pytest.raises(BadInput):
        await passwords.check_strength("xqzwvkj-plomb", "xqzwvkj-plomb")
    await passwords.check_strength("xqzwvkj-plomb", "somebody")


async def test_names_of_several_people_do_not_mix() -> None:
    """zxcvbn keeps them where all threads see them."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    several = [of() for _ in range(4)]
    answers = await asyncio.gather(
        *(
            passwords.check_strength("xqzwvkj-plomb", *(["xqzwvkj-plomb"] * (number % 2)))
            for passwords in several
            for number in range(50)
        ),
        return_exceptions=True,
    )
    sys.setswitchinterval(interval)
    for passwords in several:
        passwords.close()
    assert [isinstance(answer, BadInput) for answer in answers] == [False, True] * 100


async def test_personal_words_of_any_kind(passwords: Passwords) -> None:
    await passwords.check_strength(PASSWORD, "", " ", "\ud800", "İ" * 5000, "a b " * 100_000)


async def test_symbols_for_letters_are_not_tried_forever(passwords: Passwords) -> None:
    """Every symbol may stand for several letters: the ways to read them multiply."""
    begun = time.process_time()
    await passwords.check_strength("4@8({[<369&#!1/|0$5+7%2xz" * 40, *NAMES)
    assert time.process_time() - begun < 1.5


async def test_nothing_tells_the_password(
    passwords: Passwords, caplog: pytest.LogCaptureFixture
) -> None:
    asyncio.get_running_loop().set_debug(True)
    caplog.set_level(logging.DEBUG)
    stored = await passwords.hash("hush-hush-hush")
    assert await passwords.verify("hush-hush-hush", stored)
    await passwords.check_strength("hush-hush-hush")
    for password in ("hush\0", "hush\ud800", "hush" * 1000):
        assert not await passwords.verify(password, stored)
        for refused in (passwords.hash(password), passwords.check_strength(password)):
            with pytest.raises(BadInput) as caught:
                await refused
            assert "hush" not in "".join(traceback.format_exception(caught.value))
    assert "hush" not in caplog.text + repr(passwords) + repr(vars(passwords))


async def longest_pause(work: Callable[[], Awaitable[object]]) -> float:
    """For how long nothing else ran, in seconds, while `work` did."""
    pauses: list[float] = []
    task = asyncio.ensure_future(work())
    last = time.perf_counter()
    while not task.done():
        await asyncio.sleep(0.001)
        pauses.append(time.perf_counter() - last)
        last += pauses[-1]
    await task
    return max(pauses)


async def test_others_are_served_meanwhile() -> None:
    passwords = of(32 * 1024, 4)

    async def in_threads() -> None:
        await asyncio.gather(*(passwords.hash(PASSWORD) for _ in range(4)))

    async def in_the_loop() -> None:
        for _ in range(4):
            passwords._hasher.hash(PASSWORD)

    await in_threads()
    assert await longest_pause(in_threads) < await longest_pause(in_the_loop) / 3
    passwords.close()


@pytest.mark.parametrize("stored", [argon2(), imported()])
async def test_work_is_bounded_by_threads_of_its_own(
    stored: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    passwords = of()
    seen: set[str] = set()
    real = passwords._verify
    both = threading.Barrier(2, timeout=10)  # one alone would do it all if it were quick

    def verify(password: str, stored: str | None) -> bool:
        seen.add(threading.current_thread().name)
        both.wait()
        return real(password, stored)

    monkeypatch.setattr(passwords, "_verify", verify)
    await asyncio.gather(*(passwords.verify(PASSWORD, stored) for _ in range(20)))
    assert seen == {"passwords_0", "passwords_1"}
    passwords.close()


@pytest.mark.parametrize(
    "work",
    [
        lambda: PasswordHasher(4, 32 * 1024, 1).hash("x"),
        lambda: hashlib.pbkdf2_hmac("sha256", b"x", b"x", 400_000),
    ],
    ids=["argon2", "pbkdf2"],
)
async def test_the_libraries_let_other_threads_run(work: Callable[[], object]) -> None:
    """On which all of this is built."""
    with ThreadPoolExecutor(1) as threads:

        async def elsewhere() -> None:
            await asyncio.get_running_loop().run_in_executor(threads, work)

        async def here() -> None:
            work()

        assert await longest_pause(elsewhere) < await longest_pause(here) / 3


WRONG = "wrong horse battery staple"


@pytest.mark.parametrize(
    ("password", "stored"),
    [
        (WRONG, None),
        (WRONG, ""),
        (WRONG, "bcrypt$x"),
        (WRONG, KNOWN_HASH[:-1]),
        (WRONG, argon2(m=64 * 1024 * 1024)),
        (WRONG, imported()[:-1]),
        (WRONG, imported(rounds=MAX_ITERATIONS + 1)),
        ("a" * 1_000_000, KNOWN_HASH),
        ("\ud800", KNOWN_HASH),
        ("\0", imported()),
    ],
    ids=lambda value: ascii(value)[:30],
)
async def test_failures_take_the_same_time(
    costly: Passwords, password: str, stored: str | None
) -> None:
    """Time of the processor: what else the machine does would drown it."""
    right = await costly.hash(PASSWORD)

    async def taken(password: str, stored: str | None) -> float:
        begun = time.process_time()
        assert not await costly.verify(password, stored)
        return time.process_time() - begun

    rounds = [(await taken(WRONG, right), await taken(password, stored)) for _ in range(9)]
    wrong, other = (statistics.median(times) for times in zip(*rounds, strict=True))
    assert 1 / 1.5 < other / wrong < 1.5


async def test_closing_ends_its_threads() -> None:
    passwords = of()
    await passwords.hash(PASSWORD)
    await passwords.check_strength(PASSWORD)
    threads = [*passwords._workers._executor._threads, *passwords._guesser._executor._threads]
    assert threads
    passwords.close()
    for thread in threads:
        thread.join(5)
    assert not any(thread.is_alive() for thread in threads)


async def test_a_flood_is_answered_and_does_not_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.passwords.MOST_WAITING", 5)
    with closing(of()) as passwords:
        attempts = [passwords.verify("wrong", None) for _ in range(20)]
        results = await asyncio.gather(*attempts, return_exceptions=True)
        refused = [result for result in results if isinstance(result, RateLimited)]
        assert len(refused) == 15
        assert [result for result in results if result not in refused] == [False] * 5
        assert await passwords.verify("wrong", None) is False

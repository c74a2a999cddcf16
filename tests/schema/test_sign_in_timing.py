"""How long a failed sign-in takes tells nobody why it failed."""

import asyncio
import hashlib
from collections.abc import Sequence
from itertools import permutations
from statistics import median, quantiles
from time import perf_counter

from core.settings import Settings
from tests.graph import Client, asking
from tests.schema.signing_in import PASSWORD, give_password
from tests.schema.workspace import Workspace

ROUNDS = 30
FLOOR = 0.6
FLOORED_ROUNDS = 20  # at most
APART = 0.15  # seconds: else the one would wait for the hash of the other
TRIES = {
    "nobody": PASSWORD,
    "ada": PASSWORD,  # has none
    "bob": "wrong",
    "carl": PASSWORD,  # disabled
}
IMPORTED = {"root": "wrong", "dora": "password-007"}  # the latter disabled


def _settings(floor: float) -> Settings:
    return Settings(
        environment="test",
        sign_in_floor=floor,
        limit_sign_in=None,
        limit_sign_in_account=None,
        limit_sign_in_address=None,
    )


async def _people(acme: Workspace) -> None:
    await give_password(acme, "bob", "carl")
    digest = hashlib.pbkdf2_hmac("sha256", b"password-007", b"salt", 200_000).hex()
    await give_password(acme, *IMPORTED, hash=f"pbkdf2_sha256$200000$salt${digest}")
    await acme.cast.connection.execute(
        "UPDATE users SET is_active = false WHERE username IN ('carl', 'dora')"
    )


async def _lasts(client: Client, name: str, password: str) -> float:
    started = perf_counter()
    refused = await client.refused("signIn", username=name, password=password)
    assert refused == [("UNAUTHENTICATED", None)]
    return perf_counter() - started


async def _lasts_from(start: float, client: Client, name: str, password: str) -> float:
    await asyncio.sleep(start)
    return await _lasts(client, name, password)


def _ratio(some: Sequence[float], others: Sequence[float]) -> float:
    """How many times as long as the others some typically last: the median of all pairs (Hodges
    and Lehmann), which a quarter of outliers does not move far."""
    return median(one / other for one in some for other in others)


async def test_there_is_always_a_hash_to_verify(acme: Workspace) -> None:
    """Without a floor. What is written of a failure may show here: it takes a twentieth of that.
    By rank, and by the faster quarter of each: what else the machine does only slows them down."""
    await _people(acme)
    durations: dict[str, list[float]] = {name: [] for name in TRIES}
    async with asking(_settings(floor=0)) as client:
        for _ in range(ROUNDS):
            for name, password in TRIES.items():
                durations[name].append(await _lasts(client, name, password))
    for some, others in permutations(durations.values(), 2):
        assert _ratio(some, others) < 1.5
        assert quantiles(some, n=4)[0] / quantiles(others, n=4)[0] < 1.5


async def test_the_floor_hides_how_a_password_was_hashed(acme: Workspace) -> None:
    """None answers before it, and each at it, once the machine has time for it."""
    await _people(acme)
    tries = TRIES | IMPORTED
    fastest = dict.fromkeys(tries, float("inf"))
    async with asking(_settings(FLOOR)) as client:
        for attempt in range(FLOORED_ROUNDS):
            first = attempt % len(tries)
            names = [*tries][first:] + [*tries][:first]
            lasted = await asyncio.gather(
                *(_lasts_from(n * APART, client, name, tries[name]) for n, name in enumerate(names))
            )
            for name, seconds in zip(names, lasted, strict=True):
                fastest[name] = min(fastest[name], seconds)
            if max(fastest.values()) < FLOOR * 1.05:
                break
    assert min(fastest.values()) > FLOOR - 0.01
    assert max(fastest.values()) < FLOOR * 1.05

"""Whatever goes away meanwhile, everybody hears of everything, in order, and nothing twice.

PARLEY_TEST_SECONDS makes it last longer, PARLEY_TEST_SEED repeats what chance did, as far as
that decides what happens.
"""

import os
import secrets
import time

import pytest

from tests.torture.stage import Bus, storm
from tests.torture.storm import PATIENT, Storm

SECONDS = float(os.environ.get("PARLEY_TEST_SECONDS", "0"))
SEED = int(os.environ.get("PARLEY_TEST_SEED") or secrets.randbelow(2**32))
SELDOM, OFTEN = 600.0, 1.0
"""Seconds between polls: so that one finds nothing, or everything."""


@pytest.mark.timeout(300 + 4 * SECONDS)
@pytest.mark.parametrize(("bus", "poll"), [("notify", SELDOM), ("valkey", OFTEN)])
async def test_everybody_hears_of_everything(bus: Bus, poll: float) -> None:
    print(f"PARLEY_TEST_SEED={SEED}")
    async with storm(bus, poll, SEED) as torture:
        began = time.monotonic()
        await _all_that_happens(torture, poll)
        while time.monotonic() < began + SECONDS:
            await _all_that_happens(torture, poll)
        assert all(subscriber.states for subscriber in torture.subscribers)
        for patient in torture.subscribers[:PATIENT]:  # what they hear in one stretch is all
            assert sum(bool(stretch.heard) for stretch in patient.stretches) == 1, patient


async def _all_that_happens(torture: Storm, poll: float) -> None:
    happenings = [torture.lose_bus, torture.kill_process, torture.restart_database]
    if poll == OFTEN:
        happenings.append(torture.lose_bus_for_long)
    torture.chance.shuffle(happenings)
    for happening in happenings:
        began = time.monotonic()
        await happening()
        print(
            f"{happening.__name__}: {time.monotonic() - began:.1f} s,"
            f" {sum(len(s.heard) for each in torture.subscribers for s in each.stretches)} heard in"
            f" {sum(len(each.stretches) for each in torture.subscribers)} stretches,"
            f" {sum(writer.retries for writer in torture.writers)} retries"
        )

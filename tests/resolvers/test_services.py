import asyncio
import logging

import pytest

from resolvers.services import Services
from tests.graph import SETTINGS


async def test_what_ends_though_it_should_not_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def broken() -> None:
        raise LookupError("a fault of ours")

    services = Services.of(SETTINGS)
    with caplog.at_level(logging.CRITICAL, "parley.services"):
        services._run(broken())
        services._run(asyncio.Event().wait())  # type: ignore[arg-type]
        await asyncio.sleep(0.01)
        await services.stop()
    assert "a fault of ours" in caplog.text
    assert len(caplog.records) == 1

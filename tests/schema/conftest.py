from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.conftest import Database
from tests.graph import Cast, Client, asking
from tests.schema.places import Places, furnished
from tests.schema.twins import Twins, side_by_side
from tests.schema.workspace import Workspace, open_workspace


@pytest.fixture
async def cast(database: Database) -> AsyncIterator[Cast]:
    connection = await database.connect()
    yield Cast(connection)
    await connection.close()


@pytest.fixture
async def client(db: Database) -> AsyncIterator[Client]:
    async with asking() as client:
        yield client


@pytest.fixture
async def acme(cast: Cast, client: Client) -> Workspace:
    return await open_workspace(cast, client)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def places(postgres: Path) -> AsyncIterator[Places]:
    """Made once for the tests of a module, which only read."""
    async with furnished(postgres) as places:
        yield places


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def twins(postgres: Path) -> AsyncIterator[Twins]:
    """As `places`."""
    async with side_by_side(postgres) as twins:
        yield twins

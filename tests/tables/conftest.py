from dataclasses import dataclass

import pytest

from tests.conftest import Database
from tests.tables.world import Workspace, add_row, add_workspace


@dataclass(frozen=True)
class Tenants:
    acme: Workspace
    globex: Workspace


@pytest.fixture
async def tenants(database: Database) -> Tenants:
    """Two workspaces of two people."""
    connection = await database.connect()
    try:
        ada, bob = [await add_row(connection, "users", username=name) for name in ("ada", "bob")]
        return Tenants(
            await add_workspace(connection, "acme", ada),
            await add_workspace(connection, "globex", bob),
        )
    finally:
        await connection.close()

import pytest

from tables import Tenant
from tables.engine import NoScope
from tests.conftest import Database


async def test_query_outside_of_a_scope_raises(db: Database) -> None:
    with pytest.raises(NoScope):
        await Tenant.select()

"""docs/permissions.md says who sees and does what; here it is tried, cell by cell."""

from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import pytest
import pytest_asyncio

from tables.engine import DB
from tests.conftest import cloned
from tests.graph import Cast, asking
from tests.schema.permissions import mutations, reads, roots, subscriptions
from tests.schema.permissions.document import Table, differences, documented, written
from tests.schema.permissions.mutations import SetStage
from tests.schema.permissions.reads import Cells
from tests.schema.permissions.stage import ROLES, Stage, set_stage
from tests.schema.permissions.ways import fields_of, told

pytestmark = pytest.mark.asyncio(loop_scope="module")

SAYS = """docs/permissions.md says otherwise of {type}:

{lines}

If that is how it should be, the table reads

{table}
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def new_stage(postgres: Path) -> AsyncIterator[SetStage]:
    async with cloned(postgres) as database:
        await DB.open(database.url("parley_app"), size=8)
        connection = await database.connect()
        async with asking() as client:

            async def set_anew() -> Stage:
                return await set_stage(Cast(connection), client)

            yield set_anew
        await connection.close()


async def _observe(new_stage: SetStage, type: str, roles: Iterable[str]) -> Table:
    columns = [await _cells(new_stage, role, type) for role in roles]
    return {row: tuple(cells[row] for cells in columns) for row in columns[0]}


async def _cells(new_stage: SetStage, role: str, type: str) -> Cells:
    if type == "Mutation":
        return await mutations.observe(new_stage, role)
    stage = await new_stage()
    if type == "Query":
        return await roots.observe(stage, role)
    if type == "Subscription":
        return await subscriptions.observe(stage, role)
    return await reads.observe(stage, role, type)


@pytest.mark.parametrize("type", told())
async def test_the_document_says_what_happens(new_stage: SetStage, type: str) -> None:
    observed = await _observe(new_stage, type, ROLES)
    assert {field for field, _ in observed} == fields_of(type).keys(), "teach how to try it"
    if found := differences(documented().get(type, {}), observed):
        lines = "\n".join(found)
        pytest.fail(SAYS.format(type=type, lines=lines, table=written(observed)), pytrace=False)


@pytest.mark.parametrize("type", told())
async def test_who_has_left_is_an_outsider(new_stage: SetStage, type: str) -> None:
    left = await _observe(new_stage, type, ["left"])
    outsider = ROLES.index("outsider")
    assert {row: cell for row, (cell,) in left.items()} == {
        row: cells[outsider] for row, cells in documented().get(type, {}).items()
    }


async def test_the_document_has_a_table_of_each_type() -> None:
    assert documented().keys() == {*told()}


async def test_every_field_is_shown_to_somebody() -> None:
    """Else the stage lacks it, and that it is kept from others says nothing."""
    for type, table in documented().items():
        shown = {field for (field, _), cells in table.items() if "yes" in cells}
        assert shown == {field for field, _ in table}, type

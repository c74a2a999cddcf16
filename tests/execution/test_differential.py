"""Random operations on a schema full of faults: the executor answers as graphql-core does."""

import asyncio
import gc
import os
import random

import pytest
from graphql import validate

from tests.execution.differential import differences
from tests.execution.operations import Operations
from tests.execution.torture import Context, Executor, torture
from tests.execution.torture_rows import FAULTS

OPERATIONS = int(os.environ.get("DIFFERENTIAL", "2000"))
SHARES = 20
CANCELLED = "CancelledError"
FIRST = int(os.environ.get("DIFFERENTIAL_FIRST", "0"))

stock, compiled = torture(), torture(Executor)


# graphql-core leaves behind what it created, and then did not await, next to an error: collected
# here, or Python warns of it within some later test.
@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("share", range(SHARES))
async def test_answers_as_graphql_core_does(share: int) -> None:
    Executor.fallbacks.clear()
    for seed in range(FIRST + share, FIRST + OPERATIONS, SHARES):
        await compare(seed)
    assert set(Executor.fallbacks) == {None}
    gc.collect()


async def compare(seed: int) -> None:
    chosen = random.Random(seed)
    writing = Operations(compiled._schema, chosen)
    document = writing.write()
    known = Executor.documents.of(document)
    known.errors = validate(compiled._schema, known.node)  # once is enough
    assert not known.errors, document
    FAULTS.seed, FAULTS.rate = seed, chosen.choice((0, 3, 8, 20))
    given = writing.variables
    # A failed field's siblings may share a load with others, which graphql-core cancels then: it
    # raises this, or takes it for a value.
    try:
        theirs = await stock.execute(document, given, Context())
        was_cancelled = CANCELLED in str(theirs.errors)
    except asyncio.CancelledError:
        was_cancelled = True
    ours = await compiled.execute(document, given, Context())
    assert CANCELLED not in str(ours.errors), (seed, document)
    if not was_cancelled:
        assert not differences(ours, theirs), (seed, FAULTS.rate, document, given)

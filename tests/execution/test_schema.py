"""From a request to its result, or its results."""

import asyncio
import gc
import weakref
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import pytest
import strawberry
from graphql import GraphQLError
from strawberry.exceptions import MissingQueryError
from strawberry.extensions import MaxTokensLimiter
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.types.execution import PreExecutionError
from strawberry.types.graphql import OperationType

from execution.documents import Document, Documents
from execution.executor import CompiledExecutor
from execution.schema import PlannedSchema, Refused


class Executor(CompiledExecutor):
    documents: ClassVar[Documents] = Documents(64)


class Log(list[str]):
    """The context: what happened, in order."""


Info = strawberry.Info[Log, None]


@strawberry.type
class Query:
    @strawberry.field
    async def hello(self, info: Info, name: str) -> str:
        info.context.append("hello")
        await asyncio.sleep(0)
        return f"hello {name}"

    @strawberry.field
    async def hangs(self) -> str:
        await asyncio.sleep(60)
        return ""

    @strawberry.field
    async def fails(self) -> str:
        raise ValueError("no")


@strawberry.type
class Mutation:
    @strawberry.mutation
    async def change(self) -> int:
        return 1


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def counts(self, to: int) -> AsyncGenerator[int, None]:
        for n in range(to):
            yield n
        if to == 0:
            raise ValueError("nothing to count")


class Schema(PlannedSchema):
    max_tokens = 50

    def check(self, document: Document, name: str | None, variables: dict[str, Any]) -> None:
        assert document.operation(name)
        if variables.get("name") == "refused":
            raise Refused([GraphQLError("no names like that")])

    async def begin(self, context: Any, operation: OperationType) -> None:
        context.append(f"begin {operation.value}")

    async def end(self, context: Any) -> None:
        context.append("end")

    def process_errors(self, errors: Any, execution_context: Any = None) -> None:
        pass


schema = Schema(Query, Mutation, Subscription, execution_context_class=Executor)
HELLO = "query Q($name: String!) { hello(name: $name) }"


async def results(query: str, log: Log, **asked: Any) -> list[Any]:
    return [each async for each in await schema.stream(query, context_value=log, **asked)]


async def test_what_happens_when() -> None:
    for _ in range(3):
        log = Log()
        answer = await schema.execute(HELLO, {"name": "ada"}, log)
        assert (answer.data, answer.errors) == ({"hello": "hello ada"}, None)
        assert log == ["begin query", "hello", "end"]


@pytest.mark.parametrize(
    ("query", "variables", "message"),
    [
        ("{", {}, "Syntax Error"),
        ("{" + "a: hello " * 30 + "}", {}, "Syntax Error: Document contains more than 50 tokens"),
        ("{ nothing }", {}, "Cannot query field 'nothing'"),
        (HELLO, {"name": "refused"}, "no names like that"),
        (HELLO, {"name": 1}, "Variable '$name' has invalid value"),
        (HELLO, {}, "Variable '$name' has invalid value"),
    ],
)
async def test_what_is_refused_does_not_begin(
    query: str, variables: dict[str, Any], message: str
) -> None:
    for _ in range(2):
        log = Log()
        answer = await schema.execute(query, variables, log)
        (streamed,) = await results(query, log, variable_values=variables)
        for refused in (answer, streamed):
            assert isinstance(refused, PreExecutionError)
            assert refused.errors
            assert refused.errors[0].message.startswith(message)
        assert log == []


TWO = "query A { fails } query B { fails }"
CHANGE = "mutation { change }"
COUNT = "subscription { counts(to: 1) }"


@pytest.mark.parametrize(
    ("refusal", "query", "asked"),
    [
        (MissingQueryError, "", {}),
        (MissingQueryError, None, {}),
        (CannotGetOperationTypeError, TWO, {"operation_name": "C"}),
        (CannotGetOperationTypeError, TWO, {"operation_name": {}}),
        (InvalidOperationTypeError, CHANGE, {"allowed_operation_types": ()}),
        (InvalidOperationTypeError, COUNT, {"allowed_operation_types": ()}),
    ],
)
async def test_requests_that_cannot_be_answered(
    refusal: type[Exception], query: Any, asked: dict[str, Any]
) -> None:
    with pytest.raises(refusal):
        await schema.execute(query, context_value=Log(), **asked)
    (told,) = await results(query, Log(), **asked)
    assert isinstance(told, PreExecutionError)
    assert told.errors
    assert isinstance(told.errors[0].original_error, refusal)


async def test_a_subscription_is_no_query() -> None:
    with pytest.raises(InvalidOperationTypeError):
        await schema.execute(COUNT, context_value=Log())


async def test_it_ends_however_it_ends() -> None:
    log = Log()
    failed = await schema.execute("{ fails }", None, log)
    assert failed.data is None
    asking = asyncio.ensure_future(schema.execute("{ hangs }", None, log))
    await asyncio.sleep(0.01)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert log == ["begin query", "end"] * 2


async def test_streams() -> None:
    log = Log()
    (one,) = await results("mutation { change }", log)
    assert one.data == {"change": 1}
    counted = await results(
        "subscription ($n: Int!) { counts(to: $n) }", log, variable_values={"n": 3}
    )
    assert [each.data for each in counted] == [{"counts": n} for n in range(3)]
    (failed,) = await results("subscription { counts(to: 0) }", log)
    assert [error.message for error in failed.errors] == ["nothing to count"]
    assert log == [
        *("begin mutation", "end"),
        *("begin subscription", "end"),
        *("begin subscription", "end"),
    ]


@contextmanager
def without_collector() -> Iterator[None]:
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


async def test_a_request_is_freed_at_once() -> None:
    with without_collector():
        for _ in range(3):  # by graphql-core, then by a plan
            log = Log()
            await schema.execute(HELLO, {"name": "ada"}, log)
            gone = weakref.ref(log)
            del log
            assert gone() is None


def test_extensions_are_refused() -> None:
    """Nobody would ask them."""
    with pytest.raises(ValueError, match="check"):
        PlannedSchema(Query, extensions=[MaxTokensLimiter(1)])

from contextlib import aclosing
from datetime import datetime
from typing import Any

import strawberry
from graphql import GraphQLError, GraphQLInputObjectType, GraphQLObjectType, Undefined
from strawberry.extensions import MaxTokensLimiter, SchemaExtension
from strawberry.schema.exceptions import InvalidOperationTypeError
from strawberry.schema.schema import StreamResult
from strawberry.types import ExecutionContext, ExecutionResult
from strawberry.types.execution import PreExecutionError
from strawberry.types.graphql import OperationType

from core.errors import BadInput
from core.metrics import OPERATIONS
from execution.documents import Documents, Known
from execution.executor import CompiledExecutor
from schema.context import Context
from schema.cost import Cost
from schema.errors import as_graphql_error, refusal_code
from schema.extensions import Runner
from schema.mutation import Mutation
from schema.query import Query
from schema.scalars import DATE_TIME, WRITERS
from schema.snapshot import Snapshot
from schema.subscription import Subscription

MAX_TOKENS = 2000
NO_STREAM = "A subscription needs a WebSocket, or a POST with Accept: text/event-stream."


class Schema(strawberry.Schema):
    async def execute(self, *arguments: Any, **named: Any) -> ExecutionResult:
        """Once: subscriptions, which graphql-core would take for queries here, are refused."""
        allowed = set(named.get("allowed_operation_types") or OperationType)
        named["allowed_operation_types"] = allowed - {OperationType.SUBSCRIPTION}
        try:
            return await super().execute(*arguments, **named)
        except InvalidOperationTypeError as error:
            if error.operation_type is not OperationType.SUBSCRIPTION:
                raise
            return ExecutionResult(data=None, errors=[as_graphql_error(BadInput(NO_STREAM))])

    def create_extensions_runner(
        self, execution_context: ExecutionContext, extensions: list[SchemaExtension]
    ) -> Runner:
        return Runner(execution_context, extensions)

    async def stream(self, *arguments: Any, **named: Any) -> StreamResult:
        results = await super().stream(*arguments, **named)
        return self._complete(results, named["context_value"])

    async def _complete(self, results: StreamResult, context: Context) -> StreamResult:
        """With what the cache of parsed documents raises, and Strawberry's stream does not heed.
        Nothing is read while a result is sent: who reads slowly must not hold a connection. An
        event that cannot be told is the last one: its cursor is lost, and the next one's would
        lead past it."""
        async with aclosing(results):
            try:
                async for result in results:
                    await context.end_reading()
                    assert isinstance(result, ExecutionResult), "nothing is deferred"
                    if context.is_following and result.data is None:
                        yield PreExecutionError(data=None, errors=result.errors)
                        return
                    yield result
            except GraphQLError as error:
                self.process_errors([error])
                yield PreExecutionError(data=None, errors=[error])

    def process_errors(
        self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None
    ) -> None:
        """Codes for what graphql-core itself refuses. Logging is left to schema.errors, which
        knows the request, and which faults are ours."""
        executed = execution_context is not None and _executes(execution_context)
        for error in errors:
            if error.original_error is None and not error.path:
                error.extensions = {"code": refusal_code(error, executed=executed)}


class Executor(CompiledExecutor):
    # Kept for all requests: an app sends the same few documents again and again.
    documents = Documents(256)
    writers = WRITERS

    @classmethod
    def compiles_after(cls, context: Context) -> int | None:
        return context.services.settings.compile_after

    @classmethod
    def executed(cls, fallback: str | None) -> None:
        OPERATIONS.labels(fallback or "").inc()


schema = Schema(
    query=Query,
    mutation=Mutation,
    subscription=Subscription,
    execution_context_class=Executor,
    scalar_overrides={datetime: DATE_TIME},
    extensions=[
        lambda: MaxTokensLimiter(MAX_TOKENS),
        lambda: Known(Executor.documents),
        Cost,
        Snapshot,
    ],
)


def _executes(execution_context: ExecutionContext) -> bool:
    context = execution_context.context
    return isinstance(context, Context) and context.operation_type is not None


def _without_null_defaults(schema: Schema) -> None:
    """Python's `= None` means that an argument may be left out, not that null is its default."""
    for graphql_type in schema._schema.type_map.values():
        if isinstance(graphql_type, GraphQLInputObjectType):
            arguments = [graphql_type.fields]
        elif isinstance(graphql_type, GraphQLObjectType):
            arguments = [field.args for field in graphql_type.fields.values()]
        else:
            continue
        for group in arguments:
            for argument in group.values():
                if argument.default_value is None:
                    argument.default_value = Undefined


_without_null_defaults(schema)

from contextlib import aclosing
from datetime import datetime
from functools import cache
from typing import Any

from graphql import GraphQLError, GraphQLInputObjectType, GraphQLObjectType, Undefined
from strawberry.types import ExecutionContext
from strawberry.types.execution import PreExecutionError
from strawberry.types.graphql import OperationType

from core.errors import BadInput
from core.metrics import OPERATIONS
from execution.documents import Document, Documents
from execution.executor import CompiledExecutor
from execution.schema import PlannedSchema, Refused, Results
from schema.context import Context
from schema.cost import refusal
from schema.errors import as_graphql_error, refusal_code
from schema.mutation import Mutation
from schema.query import Query
from schema.scalars import DATE_TIME, WRITERS
from schema.subscription import Subscription

MAX_TOKENS = 2000
NO_STREAM = "A subscription needs a WebSocket, or a POST with Accept: text/event-stream."


class Schema(PlannedSchema):
    max_tokens = MAX_TOKENS

    def check(self, document: Document, name: str | None, variables: dict[str, Any]) -> None:
        if refused := refusal(document, name, variables):
            raise Refused([as_graphql_error(refused)])

    def not_allowed(self, operation: OperationType) -> Exception:
        if operation is OperationType.SUBSCRIPTION:
            return Refused([as_graphql_error(BadInput(NO_STREAM))])
        return super().not_allowed(operation)

    async def begin(self, context: Context, operation: OperationType) -> None:
        """A query reads one snapshot of the database: its whole answer is of one moment. Each field
        of a mutation reads one of its own, after it has committed (schema/payload.py), and so does
        each event of a subscription (schema/subscription.py)."""
        context.operation_type = operation
        if operation is OperationType.QUERY:
            await context.begin_reading()

    async def end(self, context: Context) -> None:
        await context.end_reading()

    async def stream(
        self,
        query: str | None,
        variable_values: dict[str, Any] | None = None,
        context_value: Any = None,
        *arguments: Any,
        **named: Any,
    ) -> Results:
        results = await super().stream(query, variable_values, context_value, *arguments, **named)
        return _complete(results, context_value)

    def process_errors(
        self,
        errors: list[GraphQLError],
        execution_context: ExecutionContext | None = None,  # noqa: ARG002
    ) -> None:
        """Codes for documents that are refused. Logging is left to schema.errors, which knows the
        request, and which faults are ours."""
        for error in errors:
            error.extensions = {"code": refusal_code(error)}


async def _complete(results: Results, context: Context) -> Results:
    """Nothing is read while a result is sent: who reads slowly must not hold a connection. An event
    that cannot be told is the last one: its cursor is lost, and the next one's would lead past
    it."""
    async with aclosing(results):
        async for result in results:
            await context.end_reading()
            if context.is_following and result.data is None:
                yield PreExecutionError(data=None, errors=result.errors)
                return
            yield result


_counter = cache(OPERATIONS.labels)


class Executor(CompiledExecutor):
    # Kept for all requests: an app sends the same few documents again and again.
    documents = Documents(256)
    writers = WRITERS

    @classmethod
    def compiles_after(cls, context: Context) -> int | None:
        return context.services.settings.compile_after

    @classmethod
    def executed(cls, fallback: str | None) -> None:
        _counter(fallback or "").inc()


schema = Schema(
    query=Query,
    mutation=Mutation,
    subscription=Subscription,
    execution_context_class=Executor,
    scalar_overrides={datetime: DATE_TIME},
)


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

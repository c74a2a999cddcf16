from datetime import datetime

import strawberry
from graphql import GraphQLError, GraphQLInputObjectType, GraphQLObjectType, Undefined
from strawberry.extensions import MaxTokensLimiter
from strawberry.types import ExecutionContext

from core.metrics import OPERATIONS
from execution.documents import Documents, Known
from execution.executor import CompiledExecutor
from schema.context import Context
from schema.cost import Cost
from schema.errors import refusal_code
from schema.mutation import Mutation
from schema.query import Query
from schema.scalars import DATE_TIME, WRITERS
from schema.snapshot import Snapshot

MAX_TOKENS = 2000


class Schema(strawberry.Schema):
    def process_errors(
        self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None
    ) -> None:
        """Codes for what graphql-core itself refuses. Logging is left to schema.errors, which
        knows the request, and which faults are ours."""
        executed = execution_context is not None and execution_context.result is not None
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
    execution_context_class=Executor,
    scalar_overrides={datetime: DATE_TIME},
    extensions=[
        lambda: MaxTokensLimiter(MAX_TOKENS),
        lambda: Known(Executor.documents),
        Cost,
        Snapshot,
    ],
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

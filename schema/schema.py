from collections.abc import Iterator

import strawberry
from graphql import GraphQLError, GraphQLInputObjectType, GraphQLObjectType, Undefined
from strawberry.extensions import MaxTokensLimiter, SchemaExtension
from strawberry.types import ExecutionContext, ExecutionResult

from schema.errors import presented
from schema.query import Query
from schema.snapshot import Snapshot

MAX_TOKENS = 2000


class Errors(SchemaExtension):
    def on_operation(self) -> Iterator[None]:
        yield
        result = self.execution_context.result
        if isinstance(result, ExecutionResult) and result.errors:
            request_id = self.execution_context.context.request_id
            result.errors = [presented(error, request_id) for error in result.errors]


class Schema(strawberry.Schema):
    def process_errors(
        self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None
    ) -> None:
        """Errors are logged where they are presented: with their request, and only ours."""


schema = Schema(
    query=Query,
    extensions=[lambda: MaxTokensLimiter(MAX_TOKENS), Errors, Snapshot],
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

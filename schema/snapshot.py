from collections.abc import AsyncIterator

from strawberry.extensions import SchemaExtension
from strawberry.types.graphql import OperationType

from resolvers.database import reading
from schema.context import Context


class Snapshot(SchemaExtension):
    """A query reads one snapshot of the database: its whole answer is of one moment."""

    async def on_execute(self) -> AsyncIterator[None]:
        context: Context = self.execution_context.context
        is_query = self.execution_context.operation_type is OperationType.QUERY
        if context.who is None or not is_query:
            yield
            return
        async with reading(context.who):
            try:
                yield
            finally:
                context.loaders.cancel()

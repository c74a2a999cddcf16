from collections.abc import AsyncIterator

from strawberry.extensions import SchemaExtension
from strawberry.types.graphql import OperationType

from schema.context import Context


class Snapshot(SchemaExtension):
    """A query reads one snapshot of the database: its whole answer is of one moment. Each field of
    a mutation reads one of its own, after it has committed (schema/payload.py), and so does each
    event of a subscription (schema/subscription.py)."""

    async def on_execute(self) -> AsyncIterator[None]:
        context: Context = self.execution_context.context
        context.operation_type = self.execution_context.operation_type
        if context.operation_type is OperationType.QUERY:
            await context.begin_reading()
        try:
            yield
        finally:
            await context.end_reading()

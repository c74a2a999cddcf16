"""Strawberry's schema, whose operations are executed by plans. Not through Strawberry's extensions,
which find out anew for each operation what they are: subclasses say what is to happen when."""

from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from typing import Any, ClassVar

import strawberry
from graphql import ExecutionResult as CoreResult
from graphql import (
    GraphQLError,
    create_source_event_stream,
    map_source_to_response_event,
    specified_rules,
)
from strawberry.exceptions import MissingQueryError
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.schema.schema import validate_document
from strawberry.types import ExecutionResult
from strawberry.types.execution import PreExecutionError
from strawberry.types.graphql import OperationType

from execution.documents import Document
from execution.executor import CompiledExecutor

UNANSWERABLE = (MissingQueryError, CannotGetOperationTypeError, InvalidOperationTypeError)
"""What is wrong with a request, rather than with its document."""

PLURALS = {
    OperationType.QUERY: "queries",
    OperationType.MUTATION: "mutations",
    OperationType.SUBSCRIPTION: "subscriptions",
}
ALL = tuple(OperationType)
Results = AsyncGenerator[ExecutionResult, None]


class Refused(Exception):
    """Nothing is executed, because of these."""

    def __init__(self, errors: list[GraphQLError]) -> None:
        super().__init__(errors)
        self.errors = errors


class PlannedSchema(strawberry.Schema):
    """What is executed otherwise than by `execute` and `stream` is neither checked nor limited."""

    execution_context_class: type[CompiledExecutor]
    max_tokens: ClassVar[int | None] = None

    def __init__(self, *args: Any, extensions: Sequence[Any] = (), **named: Any) -> None:
        """Raises ValueError for extensions: what a limit among them forbids would be allowed."""
        if extensions:
            raise ValueError("extensions are not asked: override check, begin and end")
        super().__init__(*args, **named)

    def check(self, document: Document, name: str | None, variables: dict[str, Any]) -> None:
        """Before anything is executed. Raises Refused."""

    def not_allowed(self, operation: OperationType) -> Exception:
        """What is raised for an operation that this request must not have."""
        return InvalidOperationTypeError(operation)

    async def begin(self, context: Any, operation: OperationType) -> None:
        """Before an operation is executed."""

    async def end(self, context: Any) -> None:
        """After it, whether or not it failed."""

    async def execute(
        self,
        query: str | None,
        variable_values: dict[str, Any] | None = None,
        context_value: Any = None,
        root_value: Any = None,
        operation_name: str | None = None,
        allowed_operation_types: Iterable[OperationType] | None = None,
        operation_extensions: dict[str, Any] | None = None,
    ) -> ExecutionResult:
        """A query or a mutation. Raises one of UNANSWERABLE."""
        types = ALL if allowed_operation_types is None else allowed_operation_types
        allowed = [kind for kind in types if kind is not OperationType.SUBSCRIPTION]
        of_request = (context_value, root_value, operation_extensions)
        try:
            executor = self._executor(query, operation_name, variable_values, allowed, of_request)
            return await self._answer(executor)
        except UNANSWERABLE:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the answer
            return _refusal(error)

    async def stream(
        self,
        query: str | None,
        variable_values: dict[str, Any] | None = None,
        context_value: Any = None,
        root_value: Any = None,
        operation_name: str | None = None,
        operation_extensions: dict[str, Any] | None = None,
        allowed_operation_types: Iterable[OperationType] | None = None,
    ) -> Results:
        """Any operation. Of a query or a mutation comes one result."""
        allowed = ALL if allowed_operation_types is None else allowed_operation_types
        of_request = (context_value, root_value, operation_extensions)
        return self._stream_of(query, operation_name, variable_values, allowed, of_request)

    async def _stream_of(self, *asked: Any) -> Results:
        try:
            executor = self._executor(*asked)
            if executor.kind is not OperationType.SUBSCRIPTION:
                yield await self._answer(executor)
                return
            async with aclosing(self._events(executor)) as events:
                async for event in events:
                    yield event
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the answer
            yield _refusal(error)

    def _executor(
        self,
        query: str | None,
        name: str | None,
        variables: dict[str, Any] | None,
        allowed: Iterable[OperationType],
        of_request: tuple[Any, Any, Any],
    ) -> CompiledExecutor:
        """Raises Refused, or one of UNANSWERABLE."""
        if not query:
            raise MissingQueryError
        document = self._document(query)
        operation = document.operation(name)
        if operation is None:
            raise CannotGetOperationTypeError(name)
        if operation.kind not in allowed:
            raise self.not_allowed(operation.kind)
        if errors := self._validated(document):
            raise Refused(errors)
        self.check(document, name, variables or {})
        context, root, extensions = of_request
        executor = self.execution_context_class.of(
            self._schema,
            document,
            name,
            variables or {},
            context_value=context,
            root_value=root,
            operation_extensions=extensions,
        )
        if isinstance(executor, list):
            raise Refused(executor)
        executor.kind = operation.kind
        return executor

    def _document(self, query: str) -> Document:
        documents = self.execution_context_class.documents
        try:
            return documents.of(query, max_tokens=self.max_tokens)
        except GraphQLError as error:
            self._process_errors([error])
            raise

    def _validated(self, document: Document) -> list[GraphQLError]:
        if document.errors is None:
            document.errors = validate_document(self._schema, document.node, tuple(specified_rules))
            self._process_errors(document.errors)
        return document.errors

    async def _answer(self, executor: CompiledExecutor) -> ExecutionResult:
        await self.begin(executor.context_value, executor.kind)
        try:
            result = executor.execute_operation()
            if not isinstance(result, CoreResult):
                result = await result
        finally:
            await self.end(executor.context_value)
        return ExecutionResult(result.data, result.errors)

    async def _events(self, executor: CompiledExecutor) -> Results:
        await self.begin(executor.context_value, OperationType.SUBSCRIPTION)
        try:
            source: Any = create_source_event_stream(executor)
            if executor.is_awaitable(source):
                source = await source
        finally:
            await self.end(executor.context_value)
        if isinstance(source, CoreResult):
            raise Refused(source.errors or [])
        async with aclosing(map_source_to_response_event(executor, source)) as events:
            async for event in events:
                yield ExecutionResult(event.data, event.errors)


def _refusal(error: Exception) -> PreExecutionError:
    match error:
        case Refused():
            return PreExecutionError(None, error.errors)
        case GraphQLError():
            return PreExecutionError(None, [error])
        case CannotGetOperationTypeError():
            message = error.as_http_error_reason()
        case InvalidOperationTypeError():
            message = f"{PLURALS[error.operation_type]} are not allowed"
        case _:
            message = str(error)
    return PreExecutionError(None, [GraphQLError(message, original_error=error)])

"""Of one operation: executes its plan, or leaves it to graphql-core."""

import logging
from collections.abc import Generator, Mapping
from typing import Any, ClassVar, Self, cast

from graphql import (
    GraphQLError,
    GraphQLResolveInfoHelpers,
    GraphQLSchema,
    OperationType,
    default_field_resolver,
    default_type_resolver,
)
from graphql.execution.values import get_variable_values
from strawberry.execution.is_awaitable import optimized_is_awaitable
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext
from strawberry.types.graphql import OperationType as StrawberryType

from execution.documents import Document, Documents, Parts
from execution.leaves import Writer
from execution.objects import Objects
from execution.origin import Root
from execution.planner import Plan, Unplanned, plan_of
from execution.run import Failure, Run, Waiting, settle

log = logging.getLogger("execution")

Steps = Generator[list[Waiting], None, Any]

MAX_ERRORS = 50
"""Of variables, that are told."""

RESOLVERS: dict[str, Any] = {
    "field_resolver": default_field_resolver,
    "type_resolver": default_type_resolver,
    "subscribe_field_resolver": default_field_resolver,
    "is_awaitable": optimized_is_awaitable,
}


class CompiledExecutor(StrawberryGraphQLCoreExecutionContext):
    documents: ClassVar[Documents]
    writers: ClassVar[Mapping[str, Writer]] = {}
    """Of the schema's own scalars, by name."""

    document: Document | None = None
    kind: StrawberryType

    @property
    def async_helpers(self) -> GraphQLResolveInfoHelpers:
        return GraphQLResolveInfoHelpers(self.gather_async_work, self.track_async_work)

    @async_helpers.setter
    def async_helpers(self, _: object) -> None:
        """They lead back here: kept, all of a request would be left to the collector of cycles."""

    @classmethod
    def compiles_after(cls, context: Any) -> int | None:  # noqa: ARG003
        """How often graphql-core executes a document before it is planned: plans are for those that
        come again. None: always."""
        return 1

    @classmethod
    def executed(cls, fallback: str | None) -> None:
        """Told of each operation: None, or why graphql-core executed it, in a word."""

    @classmethod
    def of(
        cls,
        schema: GraphQLSchema,
        document: Document,
        name: str | None,
        variables: dict[str, Any],
        **of_request: Any,
    ) -> Self | list[GraphQLError]:
        """As graphql-core's `build`, which looks through the document each time. Or what is wrong
        with the variables."""
        parts = document.parts.get(name)
        if parts is None:
            return cls._first_of(schema, document, name, variables, of_request)
        definitions = parts.operation.variable_definitions or ()
        values = get_variable_values(schema, definitions, variables, MAX_ERRORS)
        if isinstance(values, list):
            return values
        executor = cls(
            schema,
            parts.fragment_definitions,
            parts.fragments,
            operation=parts.operation,
            variable_values=values,
            **RESOLVERS,
            **of_request,
        )
        executor.document = document
        return executor

    @classmethod
    def _first_of(
        cls,
        schema: GraphQLSchema,
        document: Document,
        name: str | None,
        variables: dict[str, Any],
        of_request: Mapping[str, Any],
    ) -> Self | list[GraphQLError]:
        executor = cls.build(
            schema,
            document.node,
            raw_variable_values=variables,
            operation_name=name,
            max_coercion_errors=MAX_ERRORS,
            **RESOLVERS,
            **of_request,
        )
        if isinstance(executor, cls):
            executor.document = document
            document.parts[name] = Parts(
                executor.operation, executor.fragment_definitions, executor.fragments
            )
        return cast("Self | list[GraphQLError]", executor)

    def execute_operation(self, serially: bool | None = None) -> Any:
        plan = self._plan()
        self.executed(plan if isinstance(plan, str) else None)
        if isinstance(plan, str):
            return super().execute_operation(serially)
        steps = self._steps(plan)
        try:
            waiting = next(steps)
        except StopIteration as ended:
            return ended.value
        return _finish(steps, waiting)

    def _steps(self, plan: Plan) -> Steps:
        data: dict[str, Any] = {}
        run = Run(self)
        for root in plan.roots:
            objects = Objects(root, [self.root_value], {type(self.root_value)}, Root())
            yield from run.levels(objects)
            (answer,) = objects.collect(run)
            if isinstance(answer, Failure):
                self.collected_errors.add(answer.error, None)
                return self.build_response(None)
            data.update(answer)
        return self.build_response(data)

    def _plan(self) -> Plan | str:
        """Or why there is none, in a word."""
        if refusal := self._refusal():
            return refusal
        document = self.document
        if document is None or not document.is_kept:
            return "unknown document"
        document.executions += 1
        if document.executions <= (self.compiles_after(self.context_value) or 0):
            return "first sight"
        if document.conditions is None:
            return "directive"
        values = self.variable_values.coerced
        decided = [values.get(name) for name in document.conditions]
        key = (self.operation.name and self.operation.name.value, *decided)
        if key not in document.plans:
            self.documents.keep(document, key, self._new_plan())
        return document.plans[key]

    def _refusal(self) -> str | None:
        if self.compiles_after(self.context_value) is None:
            return "off"
        if self.operation.operation is OperationType.SUBSCRIPTION:
            return "subscription"
        middleware = self.middleware_manager
        watched = middleware is not None and bool(middleware.middlewares)
        if watched or self.abort_signal or self.hooks or not self.error_propagation:
            return "extension"
        return None

    def _new_plan(self) -> Plan | str:
        try:
            return plan_of(self)
        except Unplanned as unplanned:
            return str(unplanned)
        except Exception:
            log.exception("a document was not planned")
            return "fault"


async def _finish(steps: Steps, waiting: list[Waiting]) -> Any:
    while True:
        await settle(waiting)
        try:
            waiting = next(steps)
        except StopIteration as ended:
            return ended.value

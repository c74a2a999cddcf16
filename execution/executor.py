"""Behind Strawberry's `execution_context_class`: executes plans, or leaves it to graphql-core."""

import logging
from collections.abc import Generator, Mapping
from typing import Any, ClassVar

from graphql import DocumentNode, GraphQLSchema, OperationType
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from execution.documents import Documents
from execution.leaves import Writer
from execution.objects import Objects
from execution.origin import Root
from execution.planner import Plan, Unplanned, plan_of
from execution.run import Failure, Run, Waiting, settle

log = logging.getLogger("execution")

Steps = Generator[list[Waiting], None, Any]


class CompiledExecutor(StrawberryGraphQLCoreExecutionContext):
    documents: ClassVar[Documents]
    writers: ClassVar[Mapping[str, Writer]] = {}
    """Of the schema's own scalars, by name."""

    document: DocumentNode

    @classmethod
    def compiles_after(cls, context: Any) -> int | None:  # noqa: ARG003
        """How often graphql-core executes a document before it is planned: plans are for those that
        come again. None: always."""
        return 1

    @classmethod
    def executed(cls, fallback: str | None) -> None:
        """Told of each operation: None, or why graphql-core executed it, in a word."""

    @classmethod
    def build(cls, schema: GraphQLSchema, document: DocumentNode, *args: Any, **kwargs: Any) -> Any:
        executor = super().build(schema, document, *args, **kwargs)
        if isinstance(executor, cls):
            executor.document = document
        return executor

    def execute_operation(self, serially: bool | None = None) -> Any:
        try:
            plan = self._plan()
        except Unplanned as unplanned:
            self.executed(str(unplanned))
            return super().execute_operation(serially)
        self.executed(None)
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
            objects = Objects(root, [self.root_value], Root())
            yield from run.levels(objects)
            (answer,) = objects.collect(run)
            if isinstance(answer, Failure):
                self.collected_errors.add(answer.error, None)
                return self.build_response(None)
            data.update(answer)
        return self.build_response(data)

    def _plan(self) -> Plan:
        """Raises Unplanned."""
        after = self.compiles_after(self.context_value)
        if after is None:
            raise Unplanned("off")
        if self.operation.operation is OperationType.SUBSCRIPTION:
            raise Unplanned("subscription")
        if self._is_watched():
            raise Unplanned("extension")
        document = self.documents.of_node(self.document)
        if document is None:
            raise Unplanned("unknown document")
        document.executions += 1
        if document.executions <= after:
            raise Unplanned("first sight")
        if document.conditions is None:
            raise Unplanned("directive")
        values = self.variable_values.coerced
        key = (
            self.operation.name and self.operation.name.value,
            *(values.get(name) for name in document.conditions),
        )
        plan = document.plans.get(key)
        if plan is None:
            plan = self._new_plan()
            self.documents.keep(document, key, plan)
        if isinstance(plan, str):
            raise Unplanned(plan)
        return plan

    def _is_watched(self) -> bool:
        """Whether somebody wants to know, or decide, more than what a plan asks them."""
        middleware = self.middleware_manager
        return (
            (middleware is not None and bool(middleware.middlewares))
            or self.abort_signal is not None
            or self.hooks is not None
            or not self.error_propagation
        )

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

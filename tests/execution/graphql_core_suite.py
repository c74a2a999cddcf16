"""A plugin of pytest: graphql-core's own tests of execution, on plans. They are in its repository
and not in what is installed: docs/execution.md tells how to run them."""

import sys
from collections import Counter
from typing import Any

import strawberry
from graphql import DocumentNode, GraphQLSchema
from graphql.execution.incremental import IncrementalExecutor

from execution.documents import Document, Documents
from execution.executor import CompiledExecutor

executed: Counter[str] = Counter()


class Planned(CompiledExecutor):
    documents = Documents(1)
    build_resolve_info = IncrementalExecutor.build_resolve_info

    @classmethod
    def build(cls, schema: GraphQLSchema, document: DocumentNode, *args: Any, **named: Any) -> Any:
        executor = super().build(schema, document, *args, **named)
        if isinstance(executor, cls):
            executor.document = Document(document)
        return executor

    @classmethod
    def compiles_after(cls, context: Any) -> int:  # noqa: ARG003
        return 0

    @classmethod
    def executed(cls, fallback: str | None) -> None:
        executed[fallback or "plan"] += 1


@strawberry.type
class Query:
    name: str


def pytest_configure() -> None:
    # What Strawberry tells of its fields, of which these schemas have none.
    setattr(GraphQLSchema, "_strawberry_schema", strawberry.Schema(Query))  # noqa: B010
    sys.modules["graphql.execution.execute"].IncrementalExecutor = Planned  # type: ignore[attr-defined]


def pytest_terminal_summary(terminalreporter: Any) -> None:
    terminalreporter.write_line(f"executed: {dict(executed)}")

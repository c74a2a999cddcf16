"""What is known of a document: parsed, validated, planned once for all who send it."""

from collections import OrderedDict
from collections.abc import Hashable, Iterator
from functools import cached_property
from typing import Any

from graphql import DocumentNode, GraphQLError, parse
from strawberry.extensions import SchemaExtension

from execution.conditions import conditions
from execution.planner import Plan

MAX_CHARACTERS = 1_000_000
"""Of all documents together: parsed, one takes up to 170 bytes for each."""

MAX_PLANNED = 20_000
"""Fields of all plans together, which take 30 MB."""

MAX_PLANS = 8
"""Of a document: by operation, and by what @skip and @include say."""


class Document:
    def __init__(self, node: DocumentNode) -> None:
        self.node = node
        self.errors: list[GraphQLError] | None = None
        """Of validation, once it ran."""
        self.executions = 0
        self.plans: dict[Hashable, Plan | str] = {}
        """Or why there is none."""

    @cached_property
    def conditions(self) -> tuple[str, ...] | None:
        """Of a valid document; see there."""
        return conditions(self.node)

    @property
    def planned(self) -> int:
        return sum(plan.size for plan in self.plans.values() if isinstance(plan, Plan))


class Documents:
    """By their text; those that were used last."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._documents: OrderedDict[str, Document] = OrderedDict()
        self._characters = 0

    def __len__(self) -> int:
        return len(self._documents)

    def of(self, text: str, **options: Any) -> Document:
        """Raises GraphQLError for a text that is none; `options` are those of the parser."""
        document = self._documents.get(text)
        if document is not None:
            self._documents.move_to_end(text)
            return document
        document = Document(parse(text, **options))
        self._documents[text] = document
        self._characters += len(text)
        while len(self) > self.size or self._characters > MAX_CHARACTERS:
            forgotten, _ = self._documents.popitem(last=False)
            self._characters -= len(forgotten)
        return document

    def of_node(self, node: DocumentNode) -> Document | None:
        document = self._documents.get(node.loc.source.body) if node.loc else None
        return document if document is not None and document.node is node else None

    def keep(self, document: Document, key: Hashable, plan: Plan | str) -> None:
        while len(document.plans) >= MAX_PLANS:
            del document.plans[next(iter(document.plans))]
        document.plans[key] = plan
        planned = sum(document.planned for document in self._documents.values())
        for other in self._documents.values():
            if planned <= MAX_PLANNED:
                break
            if other is not document:
                planned -= other.planned
                other.plans.clear()


class Known(SchemaExtension):
    """Parses and validates each document once."""

    def __init__(self, documents: Documents) -> None:
        super().__init__()
        self.documents = documents

    def on_parse(self) -> Iterator[None]:
        operation = self.execution_context
        self.document = self.documents.of(operation.query or "", **operation.parse_options)
        operation.graphql_document = self.document.node
        yield

    def on_validate(self) -> Iterator[None]:
        operation = self.execution_context
        if self.document.errors is not None:
            operation.pre_execution_errors = self.document.errors
        yield
        self.document.errors = operation.pre_execution_errors

"""What is known of a document: parsed, validated, planned once for all who send it."""

from collections import OrderedDict
from collections.abc import Hashable, Iterator
from functools import cached_property
from itertools import chain
from typing import Any

from graphql import DocumentNode, GraphQLError, parse
from strawberry.extensions import SchemaExtension

from execution.conditions import conditions
from execution.planner import Plan

MAX_CHARACTERS = 1_000_000
"""Of all documents together: parsed, one takes up to 170 bytes for each."""

LONGEST = 50_000
"""Characters of a document that is kept: whoever sends a long comment makes nobody else parse."""

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
    """By their text. Those that came again, and were used last, are kept; a fourth of the room is
    for those that came once: who sends a new one each time does not drive out all others."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._once: OrderedDict[str, Document] = OrderedDict()
        self._again: OrderedDict[str, Document] = OrderedDict()
        self._characters = 0

    def __len__(self) -> int:
        return len(self._once) + len(self._again)

    def __iter__(self) -> Iterator[Document]:
        return chain(self._once.values(), self._again.values())

    def of(self, text: str, **options: Any) -> Document:
        """Raises GraphQLError for a text that is none; `options` are those of the parser."""
        document = self._again.pop(text, None) or self._once.pop(text, None)
        if document is not None:
            self._again[text] = document
            return document
        document = Document(parse(text, **options))
        if len(text) <= LONGEST:
            self._once[text] = document
            self._characters += len(text)
            self._make_room()
        return document

    def _make_room(self) -> None:
        while len(self) > self.size or self._characters > MAX_CHARACTERS:
            many_new = len(self._once) > self.size // 4 or not self._again
            forgotten, _ = (self._once if many_new else self._again).popitem(last=False)
            self._characters -= len(forgotten)

    def of_node(self, node: DocumentNode) -> Document | None:
        text = node.loc.source.body if node.loc else ""
        document = self._again.get(text) or self._once.get(text)
        return document if document is not None and document.node is node else None

    def keep(self, document: Document, key: Hashable, plan: Plan | str) -> None:
        while len(document.plans) >= MAX_PLANS:
            del document.plans[next(iter(document.plans))]
        document.plans[key] = plan
        planned = sum(document.planned for document in self)
        for other in self:
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

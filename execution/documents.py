"""What is known of a document: parsed, validated, planned once for all who send it."""

from collections import OrderedDict
from collections.abc import Hashable, Iterator, Mapping
from functools import cached_property
from itertools import chain
from typing import Any, NamedTuple

from graphql import (
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLError,
    OperationDefinitionNode,
    parse,
)
from strawberry.types.graphql import OperationType

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


class Parts(NamedTuple):
    """What graphql-core finds in a document for an operation."""

    operation: OperationDefinitionNode
    fragment_definitions: Mapping[str, FragmentDefinitionNode]
    fragments: Mapping[str, Any]


class Operation(NamedTuple):
    node: OperationDefinitionNode
    name: str | None
    kind: OperationType


class Document:
    def __init__(self, node: DocumentNode, *, is_kept: bool = True) -> None:
        self.node = node
        self.is_kept = is_kept
        self.operations = [
            Operation(
                definition,
                definition.name.value if definition.name else None,
                OperationType(definition.operation.value),
            )
            for definition in node.definitions
            if isinstance(definition, OperationDefinitionNode)
        ]
        self.errors: list[GraphQLError] | None = None
        """Of validation, once it ran."""
        self.parts: dict[str | None, Parts] = {}
        """By the name that an operation is asked for with."""
        self.checked: dict[str | None, Any] = {}
        """What a schema's `check` keeps of an operation, by that name."""
        self.executions = 0
        self.plans: dict[Hashable, Plan | str] = {}
        """Or why there is none."""

    @cached_property
    def conditions(self) -> tuple[str, ...] | None:
        """Of a valid document; see there."""
        return conditions(self.node)

    def operation(self, name: object) -> Operation | None:
        """The first one, when none is named."""
        for operation in self.operations:
            if name is None or operation.name == name:
                return operation
        return None

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
        document = Document(parse(text, **options), is_kept=len(text) <= LONGEST)
        if document.is_kept:
            self._once[text] = document
            self._characters += len(text)
            self._make_room()
        return document

    def _make_room(self) -> None:
        while len(self) > self.size or self._characters > MAX_CHARACTERS:
            many_new = len(self._once) > self.size // 4 or not self._again
            forgotten, _ = (self._once if many_new else self._again).popitem(last=False)
            self._characters -= len(forgotten)

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

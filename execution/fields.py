from dataclasses import dataclass, field

from graphql import FieldNode, GraphQLField, GraphQLObjectType
from graphql.execution.collect_fields import FieldDetails

from execution.position import Position
from execution.sources import Source


@dataclass(eq=False, slots=True)
class Field:
    """A field of a selection; several nodes of the document may ask for it."""

    key: str
    details: list[FieldDetails]
    definition: GraphQLField
    parent_type: GraphQLObjectType
    is_all: bool = False
    """Whether the operation is a query, and asks for nothing else."""

    position: Position = field(init=False)
    source: Source = field(init=False)

    @property
    def nodes(self) -> list[FieldNode]:
        return [details.node for details in self.details]

    @property
    def name(self) -> str:
        return self.details[0].node.name.value

    def __str__(self) -> str:
        return f"{self.parent_type.name}.{self.name}"

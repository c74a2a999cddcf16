"""What a plan asks of a node, where its row alone has it."""

from collections.abc import Iterator, Sequence

from strawberry.schema.schema_converter import CustomGraphQLEnumType

from execution.fields import Field
from execution.leaves import LeafPosition
from execution.objects import Selection
from execution.reading import Attribute
from execution.sources import OfRow
from resolvers.projection import Column, Kind, Linked, Projection, projection
from schema.loading import link_of
from schema.node import GlobalIds

MAX_SIZE = 100
"""Keys of a projection, with those below: PostgreSQL makes a plan of each."""

SCALARS: dict[str, Kind] = {
    "String": "text",
    "Int": "number",
    "Boolean": "number",
    "DateTime": "moment",
}


def projected(selection: Selection) -> Projection | None:
    """None where more is asked than columns, and what may be null and is looked up by one; or one
    text under several names: how much PostgreSQL has to write is to depend on the rows."""
    fields = {field.key: field for field in selection.fields}
    type = selection.type.name
    members: list[tuple[str, Column | Linked | None]] = []
    for key in selection.keys:
        if key in fields and (member := _member(type, fields[key])) is None:
            return None
        members.append((key, member if key in fields else None))
    texts = list(_texts(members))
    if len(set(texts)) < len(texts) or _size(members) > MAX_SIZE:
        return None
    return projection(type, tuple(members))


Members = Sequence[tuple[str, Column | Linked | None]]


def _texts(members: Members, *path: str) -> Iterator[tuple[str, ...]]:
    for _, member in members:
        match member:
            case Column(kind="text"):
                yield (*path, member.name)
            case Linked():
                yield from _texts(member.projection.members, *path, member.column)


def _size(members: Members) -> int:
    linked = (member.projection for _, member in members if isinstance(member, Linked))
    return len(members) + sum(_size(projection.members) for projection in linked)


def _member(type: str, field: Field) -> Column | Linked | None:
    position, source = field.position, field.source
    if isinstance(position, LeafPosition) and isinstance(source, OfRow):
        if isinstance(source.read, GlobalIds):
            return Column(source.read.id.name, "id", nullable=False)
        kind = _kind(position)
        if kind and isinstance(source.read, Attribute):
            return Column(source.read.name, kind, position.nullable)
    link = link_of(type, source)
    if link and position.nullable and len(position.selections) == 1:
        below = projected(position.selections[0])
        return Linked(link.column, link.lookup, below) if below else None
    return None


def _kind(position: LeafPosition) -> Kind | None:
    leaf = position.leaf
    if isinstance(leaf, CustomGraphQLEnumType):
        # PostgreSQL must have the names themselves.
        same = all(value.value == name for name, value in leaf.values.items())
        return "text" if same else None
    return SCALARS.get(leaf.name)

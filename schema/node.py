"""Global object identification (relay.dev/graphql/objectidentification.htm).

Rows flow through the graph as they came from PostgreSQL. A type declares the columns that it
shows and, as Private, those that its fields need.
"""

import base64
from binascii import b2a_base64
from collections.abc import Sequence
from typing import Any, overload
from uuid import UUID

import strawberry

from core.errors import BadInput
from execution.batched import Derived
from execution.reading import Attribute
from execution.types import by_class


def global_id(node_type: str, id: UUID) -> strawberry.ID:
    return strawberry.ID(b2a_base64(f"{node_type}:{id}".encode(), newline=False).decode())


def parse_global_id(text: str) -> tuple[str, UUID] | None:
    """Type and key, or None for what this graph never gave out."""
    try:
        node_type, _, key = base64.b64decode(text, validate=True).decode().partition(":")
        id = UUID(key)
    except ValueError:
        return None
    return (node_type, id) if global_id(node_type, id) == text else None


@overload
def key_of(text: str, node_type: str, *field: str) -> UUID: ...
@overload
def key_of(text: str | None, node_type: str, *field: str) -> UUID | None: ...
def key_of(text: str | None, node_type: str, *field: str) -> UUID | None:
    """The key in a global id that a client gave. Raises BadInput for one of another type."""
    if text is None:
        return None
    parsed = parse_global_id(text)
    if parsed is None or parsed[0] != node_type:
        raise BadInput(f"Not the id of a {node_type}.", field)
    return parsed[1]


class GlobalIds(Derived):
    node_type = Attribute("node_type")
    id = Attribute("id")

    def values(self, objects: Sequence[Any]) -> list[Any]:
        types = map(self.node_type.getter(objects), objects)
        ids = map(self.id.getter(objects), objects)
        return list(map(global_id, types, ids))


@strawberry.interface(description="An object with a globally unique, opaque id.")
class Node:
    node_type: strawberry.Private[str]
    id: strawberry.Private[UUID]

    global_id: strawberry.ID = strawberry.field(name="id", extensions=[GlobalIds()])

    @classmethod
    @by_class
    def resolve_type(cls, row: Any, *_: object) -> str:
        return str(row.node_type)

    @classmethod
    @by_class
    def is_type_of(cls, row: Any, _: object) -> bool:
        return bool(row.node_type == cls.__name__)

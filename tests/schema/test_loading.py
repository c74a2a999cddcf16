"""What the schema says of its edges."""

from strawberry.types.base import StrawberryObjectDefinition

from resolvers.lookahead import Link, ends_of
from resolvers.lookup import Lookup
from schema.loading import Loaded
from schema.schema import schema


def test_links_make_no_circle() -> None:
    types = [type.definition for type in schema.schema_converter.type_map.values()]
    links = frozenset(
        Link(type.name, extension.read.name, extension.batch)
        for type in types
        if isinstance(type, StrawberryObjectDefinition)
        for field in type.fields
        for extension in field.extensions
        if isinstance(extension, Loaded) and isinstance(extension.batch, Lookup)
    )
    assert len(links) > 3
    for link in links:
        assert ends_of(link.node_type, links)

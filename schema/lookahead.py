"""What a plan asks for below a page, as far as the page's statement can find it."""

from collections.abc import Iterator

from execution.position import Position
from execution.sources import Batch
from resolvers.lookahead import Link, Lookup
from schema.loading import Loaded


def link_of(node_type: str, source: object) -> Link | None:
    """Of an edge that leads to the same for all who see the row."""
    match source:
        case Batch(batched=Loaded(batch=Lookup() as lookup) as edge) if type(edge) is Loaded:
            return Link(node_type, edge.read.name, lookup)
    return None


def links_below(position: Position) -> Iterator[Link]:
    for selection in position.selections:
        for field in selection.fields:
            if link := link_of(selection.type.name, field.source):
                yield link
            yield from links_below(field.position)

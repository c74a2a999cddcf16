"""Fields that find along with their rows what a plan asks of these."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from copy import copy
from typing import Any, Self

import strawberry
from graphql import GraphQLError
from strawberry.types.field import StrawberryField

from core.errors import RuleError
from execution.batched import LooksAhead
from execution.fields import Field
from execution.objects import Selection
from execution.position import Position
from execution.sources import Batch, OfRow, arguments_below
from resolvers.lookahead import NO_LINKS, Ahead, Link
from resolvers.page_batch import PageBelow
from resolvers.projection import Projection
from schema.loading import link_of
from schema.projection import projected

MAX_PAGES = 4
"""Below a row: PostgreSQL keeps a plan of all of them. Others are loaded."""


class FindsAhead(LooksAhead):
    """Of a field that has rows: in a plan, with what it asks of these."""

    projects = True
    projection: Projection | None = None
    links = NO_LINKS
    pages: Sequence[tuple[Field, "FindsAhead"]] = ()
    """Of each row, as JSON."""

    cursors = True
    """Whether they are asked of it."""

    has_all = False
    """Whether what it finds has all that is asked of it."""

    is_all = False
    """Whether, besides, the operation asks for nothing else."""

    def rows(self, position: Position) -> Iterable[Selection]:
        """What is asked of the rows, each time that they are asked for."""
        raise NotImplementedError

    def below(self, arguments: dict[str, Any]) -> list[PageBelow]:  # noqa: ARG002
        """The page that is asked for with these, if it can be found along with its parents. Raises
        BadInput."""
        return []

    def looking_ahead(self, position: Position) -> Self:
        found = copy(self)
        selections = list(self.rows(position))
        if self.projects and len(selections) == 1:
            found.projection = projected(selections[0])
            found.pages = list(_pages(selections[0]))
        if found.projection is None:
            found.links = frozenset(_links(position))
        found.has_all = found._has_all(position.selections, selections)
        found.is_all = found.has_all and position.field.is_all
        return found

    def ahead(self, info: strawberry.Info) -> Ahead:
        found: list[PageBelow] = []
        for field, batched in self.pages:
            # What is wrong with its arguments, the field itself will say.
            with suppress(RuleError, GraphQLError):
                found += batched.below(arguments_below(info, field))
        pages = tuple(dict.fromkeys(found))
        is_all = self.is_all and len(found) == len(self.pages) and len(pages) <= MAX_PAGES
        return Ahead(self.projection, self.links, pages[:MAX_PAGES], is_all, self.cursors)

    def _has_all(self, selections: Iterable[Selection], rows: Sequence[Selection]) -> bool:
        return all(
            self._has(selection.type.name, field, rows)
            for selection in selections
            if not (self.projection and selection in rows)
            for field in selection.fields
        )

    def _has(self, type: str, field: Field, rows: Sequence[Selection]) -> bool:
        match field.source:
            case Batch(batched=FindsAhead() as pages):
                return pages.has_all and any(field is found for found, _ in self.pages)
            case OfRow():
                is_found = True
            case source:
                is_found = link_of(type, source) in self.links
        return is_found and self._has_all(field.position.selections, rows)


def _pages(selection: Selection) -> Iterator[tuple[Field, FindsAhead]]:
    """Those that have projections."""
    for field in selection.fields:
        match field.source:
            case Batch(batched=FindsAhead(projection=Projection()) as pages):
                yield field, pages


def _links(position: Position) -> Iterator[Link]:
    """On all levels below."""
    for selection in position.selections:
        for field in selection.fields:
            if link := link_of(selection.type.name, field.source):
                yield link
            yield from _links(field.position)


class Single(FindsAhead):
    """Of one row: the resolver gets what it finds ahead as `ahead`, and gives both."""

    def apply(self, field: StrawberryField) -> None:
        field.arguments = [
            argument for argument in field.arguments if argument.python_name != "ahead"
        ]

    def rows(self, position: Position) -> Iterable[Selection]:
        return position.selections

    async def resolve_async(
        self, next_: Callable[..., Any], source: Any, info: strawberry.Info, **values: Any
    ) -> Any:
        row, known = await next_(source, info, ahead=self.ahead(info), **values)
        info.context.know(known)
        return row

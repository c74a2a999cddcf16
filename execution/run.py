"""One execution. What belongs to a request is here, and never in a plan: plans are shared."""

import asyncio
from collections.abc import Awaitable, Generator
from typing import TYPE_CHECKING, Any, NamedTuple

from graphql import GraphQLError, GraphQLResolveInfo
from graphql.error import located_error
from graphql.execution.values import get_argument_values

from execution.origin import Origin

if TYPE_CHECKING:
    from execution.executor import CompiledExecutor
    from execution.fields import Field
    from execution.objects import Objects

Column = list[Any]


class Failure:
    """An error on its way up, to the nearest place that may be null."""

    __slots__ = ("error",)

    def __init__(self, error: GraphQLError) -> None:
        self.error = error


class Waiting(NamedTuple):
    """What it gives, or raises, goes to `column[place]`."""

    column: Column
    place: int
    awaitable: Awaitable[Any]


class Run:
    def __init__(self, executor: "CompiledExecutor") -> None:
        self.executor = executor
        self.failed = False
        """While there was no Failure, nobody looks for them."""
        self.waiting: list[Waiting] = []
        self.level: list[Objects] = []
        """The next one: what the objects of this one lead to."""
        self.started: list[Objects] = []
        """Those that wait."""
        self._arguments: dict[Field, dict[str, Any] | Exception] = {}

    def levels(self, root: "Objects") -> Generator[list[Waiting], None, None]:
        """Down from `root`; yields what is to be awaited, all that one level waits for at once."""
        self.level = [root]
        while self.level or self.waiting:
            level, self.level = self.level, []
            for objects in level:
                objects.start(self)
            started, self.started = self.started, []
            waiting, self.waiting = self.waiting, []
            if waiting:
                yield waiting
            for objects in started:
                objects.finish(self)

    def failure(self, error: Exception, field: "Field", origin: Origin, index: int) -> Failure:
        self.failed = True
        path = origin.path(index)
        return Failure(located_error(error, field.nodes, path.as_list() if path else None))

    def record(self, failure: Failure, origin: Origin, index: int) -> None:
        """Where it ends: the value at this place becomes null."""
        self.executor.collected_errors.add(failure.error, origin.path(index))

    def arguments(self, field: "Field") -> dict[str, Any]:
        """They are the same for all objects. Raises what is wrong with them."""
        known = self._arguments.get(field)
        if known is None:
            known = self._arguments[field] = self._coerced(field)
        if isinstance(known, Exception):
            raise known
        return known

    def _coerced(self, field: "Field") -> dict[str, Any] | Exception:
        executor = self.executor
        try:
            return get_argument_values(
                field.definition,
                field.nodes[0],
                executor.variable_values,
                hide_suggestions=executor.hide_suggestions,
            )
        except Exception as error:  # noqa: BLE001 - a scalar's parser may raise anything
            return error

    def info(self, field: "Field", origin: Origin, index: int) -> GraphQLResolveInfo[Any]:
        path = origin.path(index)
        while path is not None and isinstance(path.key, int):
            path = path.prev
        assert path is not None
        return self.executor.build_resolve_info(
            field.definition, field.nodes, field.parent_type, path
        )


async def settle(waiting: list[Waiting]) -> None:
    """One alone is awaited as it is, in the operation's own task: a task costs more than to ask for
    it. Several begin in one moment, so that loaders bring together what they ask for."""
    if len(waiting) == 1:
        await _settle_one(*waiting[0])
        return
    tasks = [asyncio.ensure_future(each.awaitable) for each in waiting]
    try:
        for (column, place, _), task in zip(waiting, tasks, strict=True):
            await _settle_one(column, place, task)
    except BaseException:
        # Whoever cancels this cancels all of them, and waits until they have ended.
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise


async def _settle_one(column: Column, place: int, awaitable: Awaitable[Any]) -> None:
    try:
        column[place] = await awaitable
    except Exception as error:  # noqa: BLE001 - whatever a resolver raises
        column[place] = error


def lazy_info(run: Run, field: "Field", origin: Origin, index: int) -> Any:
    """A GraphQLResolveInfo that is made when more of it is read than the context."""
    return LazyInfo(run, field, origin, index)


class LazyInfo:
    __slots__ = ("_info", "_place", "context", "run")

    def __init__(self, run: Run, field: "Field", origin: Origin, index: int) -> None:
        self.context = run.executor.context_value
        self.run = run
        self._place = (field, origin, index)
        self._info: GraphQLResolveInfo[Any] | None = None

    def __getattr__(self, name: str) -> Any:
        if self._info is None:
            self._info = self.run.info(*self._place)
        return getattr(self._info, name)

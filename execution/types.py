"""Of which type values are, as `is_type_of` and `resolve_type` of the schema say."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from execution.origin import Origin
from execution.reading import each
from execution.run import Column, Run, lazy_info

if TYPE_CHECKING:
    from execution.fields import Field

F = TypeVar("F", bound=Callable[..., Any])


def by_class(function: F) -> F:
    """Promises that the answer depends on nothing but the value's class: it is asked once."""
    function.by_class = True  # type: ignore[attr-defined]
    return function


def is_by_class(function: Callable[..., Any]) -> bool:
    return bool(getattr(function, "by_class", False))


def answers(
    function: Callable[..., Any],
    run: Run,
    field: "Field",
    column: Column,
    classes: set[type],
    origin: Origin,
    *more: Any,
) -> Column:
    """Of each value what `function` says, or raises."""

    def answer(index: int) -> Any:
        return function(column[index], lazy_info(run, field, origin, index), *more)

    if len(classes) == 1 and is_by_class(function):
        return each(answer, (0,)) * len(column)
    return each(answer, range(len(column)))

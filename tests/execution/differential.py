"""What two executors answer to the same, compared as docs/execution.md promises."""

from typing import Any

import orjson
from strawberry.types import ExecutionResult

Place = tuple[str | int, ...]


def encoded(data: object) -> bytes:
    """To the byte, with the order of keys."""
    return orjson.dumps(data)


def nulled(result: ExecutionResult) -> dict[Place, set[str]]:
    """The places that errors made null, and the errors that may be meant."""
    found: dict[Place, set[str]] = {}
    for error in result.errors or ():
        value: Any = result.data
        place: list[str | int] = []
        for key in error.path or ():
            if value is None:
                break
            value = value[key]
            place.append(key)
        found.setdefault(tuple(place), set()).add(f"{error.path} {error.message}")
    return found


def differences(ours: ExecutionResult, theirs: ExecutionResult) -> list[str]:
    """Data is equal to the byte; the same places are null because of errors. Which error is told of
    several that make the same ancestor null, is left open."""
    found = []
    if encoded(ours.data) != encoded(theirs.data):
        found.append(f"data {encoded(ours.data)!r} instead of {encoded(theirs.data)!r}")
    our_places, their_places = nulled(ours), nulled(theirs)
    if our_places.keys() != their_places.keys():
        found.append(f"errors at {our_places} instead of {their_places}")
    for place in our_places.keys() & their_places.keys():
        alone = len(their_places[place]) == 1 and f"{list(place)} " in str(their_places[place])
        if alone and our_places[place] != their_places[place]:
            found.append(f"at {place} {our_places[place]} instead of {their_places[place]}")
    return found

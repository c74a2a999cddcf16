"""What a subscriber must have heard, given what happened."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import inf
from typing import NamedTuple


class Change(NamedTuple):
    kind: str
    message_id: str
    version: int


@dataclass
class Stretch:
    """From subscribing until the connection was lost."""

    after: int | None
    """The version where it went on; None of who heard nothing before."""

    known: int
    """A version that somebody had heard of when it began."""

    heard: list[Change] = field(default_factory=list)


class History:
    """Of one conversation: version 1 comes first, and none is missing."""

    def __init__(self, changes: Sequence[Change]) -> None:
        self.changes = changes
        self._added = {c.message_id: c.version for c in changes if c.kind == "ADDED"}
        versions: defaultdict[str, list[int]] = defaultdict(list)
        for change in changes:
            versions[change.message_id].append(change.version)
        self._next = {
            at: following
            for of_one in versions.values()
            for at, following in zip(of_one, [*of_one[1:], inf], strict=True)
        }

    @property
    def version(self) -> int:
        return len(self.changes)

    def faults(self, stretch: Stretch) -> list[str]:
        """The server looks once how far the conversation is. Up to there it tells the last change
        of each message, and from there on every change. Where that was, nobody outside knows: each
        version that was told, or was not, leaves fewer versions where it may have been."""
        versions = [change.version for change in stretch.heard]
        if not versions:
            return []
        if versions != sorted(set(versions)):
            return [f"not in order, or twice: {versions}"]
        after = versions[0] - 1 if stretch.after is None else stretch.after
        if versions[0] <= after or versions[-1] > self.version:
            return [f"{versions} after {after}, where {self.version} happened"]
        earliest: float = max(after, stretch.known)
        latest = after if stretch.after is None else inf
        told = {change.version: change for change in stretch.heard}
        for change in self.changes[after : versions[-1]]:
            first, last = self._looked(change, told.get(change.version), after)
            earliest, latest = max(earliest, first), min(latest, last)
            if earliest > latest:
                return [f"not so, or something else is missing: {change} in {stretch}"]
        return []

    def _looked(self, change: Change, heard: Change | None, after: int) -> tuple[float, float]:
        """Between which versions, if this was heard of the change. None: the first is the later."""
        follows = self._next[change.version]
        is_new = self._added[change.message_id] > after and change.kind != "DELETED"
        if heard is None:
            return follows, inf
        if heard == change and (change.kind == "ADDED" or not is_new):
            return 0, follows - 1
        if heard == change:
            return 0, change.version - 1
        if is_new and heard == change._replace(kind="ADDED"):
            return change.version, follows - 1
        return inf, 0

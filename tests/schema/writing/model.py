"""What two workspaces should hold, and who may do what in them: the plainest way to say it."""

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tests.schema.workspace import Workspace

ADMINS = {"ada", "root"}


@dataclass(eq=False)
class World:
    """A workspace. Things stand in the order of their making."""

    workspace: Workspace
    members: set[str]
    talks: list["Talk"] = field(default_factory=list)
    papers: list["Paper"] = field(default_factory=list)
    keys: dict[Hashable, tuple[object, Any]] = field(default_factory=dict)
    """What was asked for with an idempotency key, and what was made for it."""

    sent: list[tuple["Talk", "Request"]] = field(default_factory=list)
    """Messages that were sent with a key."""

    clock: int = 0

    def tick(self) -> int:
        self.clock += 1
        return self.clock


@dataclass(frozen=True)
class Viewer:
    world: World
    name: str

    @property
    def is_member(self) -> bool:
        return self.name in self.world.members

    @property
    def is_admin(self) -> bool:
        return self.is_member and self.name in ADMINS


class Request(NamedTuple):
    """To say something. Of nobody: as the assistant or the system."""

    author: str | None
    role: str
    content: str
    papers: list["Paper"]


@dataclass(eq=False)
class Said:
    id: str
    author: str | None
    role: str
    content: str
    papers: list["Paper"]
    time: int
    edited: bool = False
    deleted: bool = False


@dataclass(eq=False)
class Talk:
    id: str
    world: World
    owner: str
    title: str
    read: dict[str, int]
    """Who takes part, and up to which place they have read."""

    said: list[Said] = field(default_factory=list)
    deleted: bool = False

    def there(self, upto: int | None = None) -> list[Said]:
        return [message for message in self.said[:upto] if not message.deleted]

    def is_run_by(self, who: Viewer) -> bool:
        return who.is_admin or who.name == self.owner

    def is_seen_by(self, who: Viewer, *, deleted_too: bool = False) -> bool:
        here = who.world is self.world and (who.is_admin or who.name in self.read)
        return here and (not self.deleted or (deleted_too and self.is_run_by(who)))

    def refusal(self, who: Viewer, *, may: bool, deleted_too: bool = False) -> str | None:
        if not who.is_member:
            return "FORBIDDEN"
        if not self.is_seen_by(who, deleted_too=deleted_too):
            return "NOT_FOUND"
        return None if may else "FORBIDDEN"


@dataclass(eq=False)
class Paper:
    """A document."""

    id: str
    world: World
    owner: str
    filename: str
    content: str
    tags: list[str]
    deleted: bool = False

    def is_run_by(self, who: Viewer) -> bool:
        return who.is_admin or who.name == self.owner

    def refusal(self, who: Viewer, *, deleted_too: bool = False) -> str | None:
        if not who.is_member:
            return "FORBIDDEN"
        hidden = self.deleted and not (deleted_too and self.is_run_by(who))
        if who.world is not self.world or hidden:
            return "NOT_FOUND"
        return None if self.is_run_by(who) else "FORBIDDEN"

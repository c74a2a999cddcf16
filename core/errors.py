"""Failures that a client may see, each with a stable code.

Everything else that is raised is a fault of ours: the edge masks it.
"""

from collections.abc import Sequence


class RuleError(Exception):
    """A failure that the caller can act on. GraphQL shows `message` and `extensions`."""

    code: str

    def __init__(self, message: str, field: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.field = field

    @property
    def all(self) -> "Sequence[RuleError]":
        return (self,)

    @property
    def extensions(self) -> dict[str, object]:
        return {"code": self.code} | ({"field": list(self.field)} if self.field else {})


class BadInput(RuleError):
    code = "BAD_INPUT"


class InvalidInput(BadInput):
    """Several faults at once."""

    def __init__(self, faults: Sequence[BadInput]) -> None:
        super().__init__(faults[0].message, faults[0].field)
        self.faults = faults

    @property
    def all(self) -> Sequence[RuleError]:
        return self.faults


class Forbidden(RuleError):
    code = "FORBIDDEN"


class Unauthenticated(RuleError):
    code = "UNAUTHENTICATED"


class NotFound(RuleError):
    code = "NOT_FOUND"


class Conflict(RuleError):
    code = "CONFLICT"


class LimitReached(RuleError):
    """Of what may be open at a time."""

    code = "LIMIT_REACHED"


class RoleChanged(RuleError):
    """Of a subscription: what it shows depends on the role that its viewer had."""

    code = "ROLE_CHANGED"

    def __init__(self) -> None:
        super().__init__("Your role in the workspace has changed: subscribe again.")


class CursorExpired(RuleError):
    code = "CURSOR_EXPIRED"

    def __init__(self) -> None:
        super().__init__(
            "What happened since can no longer be told: load anew, and subscribe without it.",
            ("after",),
        )


class SlowConsumer(RuleError):
    code = "SLOW_CONSUMER"


class GoingAway(RuleError):
    code = "GOING_AWAY"

    def __init__(self) -> None:
        super().__init__("The server stops: connect again.")


class RateLimited(RuleError):
    code = "RATE_LIMITED"

    def __init__(self, retry_after: float, limit: int = 0) -> None:
        """Seconds until another attempt may succeed, and how many there are in all; 0 when that
        is not counted."""
        super().__init__("Too many attempts: wait a while.")
        self.retry_after = retry_after
        self.limit = limit

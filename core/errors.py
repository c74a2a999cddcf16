"""Failures that a client may see, each with a stable code.

Everything else that is raised is a fault of ours: the edge masks it.
"""


class RuleError(Exception):
    """A failure that the caller can act on. GraphQL shows `message` and `extensions`."""

    code: str

    def __init__(self, message: str, field: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.field = field

    @property
    def extensions(self) -> dict[str, object]:
        return {"code": self.code} | ({"field": list(self.field)} if self.field else {})


class BadInput(RuleError):
    code = "BAD_INPUT"


class Forbidden(RuleError):
    code = "FORBIDDEN"


class Unauthenticated(RuleError):
    code = "UNAUTHENTICATED"


class NotFound(RuleError):
    code = "NOT_FOUND"


class Conflict(RuleError):
    code = "CONFLICT"


class RateLimited(RuleError):
    code = "RATE_LIMITED"

    def __init__(self, retry_after: float) -> None:
        """Seconds until another attempt may succeed."""
        super().__init__("Too many attempts: wait a while.")
        self.retry_after = retry_after

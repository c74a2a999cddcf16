"""What mutations answer: what they changed, or why they did not."""

from collections.abc import Awaitable, Callable
from dataclasses import field
from enum import StrEnum
from typing import Any

import strawberry
from strawberry.extensions import FieldExtension

from core.errors import RateLimited, RuleError
from resolvers.loading import Known
from schema.context import Context


@strawberry.enum
class ErrorCode(StrEnum):
    BAD_INPUT = "BAD_INPUT"
    NOT_FOUND = "NOT_FOUND"
    FORBIDDEN = "FORBIDDEN"
    CONFLICT = "CONFLICT"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    RATE_LIMITED = "RATE_LIMITED"


@strawberry.type(description="A failure that was to be expected: what was asked for, was not done.")
class UserError:
    code: ErrorCode
    message: str
    field: list[str] | None = strawberry.field(description="Path into the input.")

    @classmethod
    def of(cls, error: RuleError) -> "UserError":
        return cls(
            code=ErrorCode(error.code), message=error.message, field=list(error.field) or None
        )


@strawberry.type
class Payload:
    errors: list[UserError] = field(default_factory=list)
    known: strawberry.Private[Known] = field(default_factory=dict)
    """What the rule found that batches would have to read again, by key."""


def given(input: object) -> dict[str, Any]:
    """What a client wrote, null too, without what it left out."""
    return {name: value for name, value in vars(input).items() if value is not strawberry.UNSET}


class Mutates(FieldExtension):
    """Failures that rules raise become `errors` of the payload. What it shows beside the row that
    the rule has left is read after that was committed, in one snapshot, with loaders that have seen
    nothing older; as whoever asked, also when they have just left: it is the answer to what they
    might do."""

    def __init__(self, payload: type[Payload]) -> None:
        self.payload = payload

    async def resolve_async(
        self,
        next_: Callable[..., Awaitable[Any]],
        source: Any,
        info: strawberry.Info,
        **arguments: Any,
    ) -> Any:
        context: Context = info.context
        await context.end_reading()
        try:
            if context.has_written:
                await context.identify_again()
                await context.count_again()
            context.has_written = True
            payload = await next_(source, info, **arguments)
        except RuleError as failure:
            if isinstance(failure, RateLimited):
                context.limited(failure)
            return self._refused(failure)
        except OSError:  # the database is away, or busy
            raise
        except Exception:
            # A row that is missing may be that of who asks, or of their workspace.
            refusal = await context.refusal_since()
            if refusal is None:
                raise
            return self._refused(refusal)
        await context.begin_reading(payload.known)
        return payload

    def _refused(self, failure: RuleError) -> Payload:
        return self.payload(errors=[UserError.of(error) for error in failure.all])

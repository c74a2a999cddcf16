"""Every error leaves with a stable `extensions.code`; faults of ours leave without internals."""

import logging

from graphql import GraphQLError, GraphQLSyntaxError
from strawberry.types import ExecutionResult
from strawberry.types.execution import PreExecutionError

from core.errors import RuleError
from execution.schema import UNANSWERABLE

log = logging.getLogger("parley.graphql")


def presented(error: GraphQLError, request_id: str) -> GraphQLError:
    """The error as a client may see it."""
    cause = error.original_error
    while isinstance(cause, GraphQLError):
        cause = cause.original_error
    if isinstance(cause, RuleError):
        return error
    if isinstance(cause, UNANSWERABLE):
        return _with(error, error.message, code="BAD_INPUT")
    if cause is not None:
        log.error("request %s failed at %s", request_id, error.path, exc_info=cause)
        return _with(error, "Internal error.", code="INTERNAL", requestId=request_id)
    return error if error.extensions else _with(error, error.message, code="BAD_INPUT")


def is_refused(result: ExecutionResult) -> bool:
    """Whether the operation itself failed, or has ended, rather than fields of an answer."""
    if isinstance(result, PreExecutionError):
        return True
    return result.data is None and not any(error.path for error in result.errors or ())


def refusal_code(error: GraphQLError) -> str:
    """Of a document that is wrong in itself."""
    syntax = isinstance(error, GraphQLSyntaxError)
    return "GRAPHQL_PARSE_FAILED" if syntax else "GRAPHQL_VALIDATION_FAILED"


def as_graphql_error(error: RuleError) -> GraphQLError:
    """Of the whole operation rather than of a field."""
    return GraphQLError(error.message, original_error=error)


def _with(error: GraphQLError, message: str, **extensions: object) -> GraphQLError:
    return GraphQLError(
        message, error.nodes, error.source, error.positions, error.path, extensions=extensions
    )

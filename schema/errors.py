"""Every error leaves with a stable `extensions.code`; faults of ours leave without internals."""

import logging

from graphql import GraphQLError, GraphQLSyntaxError

from core.errors import RuleError

log = logging.getLogger("parley.graphql")


def presented(error: GraphQLError, request_id: str) -> GraphQLError:
    """The error as a client may see it."""
    cause = error.original_error
    while isinstance(cause, GraphQLError):
        cause = cause.original_error
    if isinstance(cause, RuleError):
        return error
    if cause is not None:
        log.error("request %s failed at %s", request_id, error.path, exc_info=cause)
        return _with(error, "Internal error.", code="INTERNAL", requestId=request_id)
    if isinstance(error, GraphQLSyntaxError):
        code = "GRAPHQL_PARSE_FAILED"
    else:
        code = "GRAPHQL_VALIDATION_FAILED" if error.path is None else "BAD_INPUT"
    return _with(error, error.message, code=code)


def _with(error: GraphQLError, message: str, **extensions: object) -> GraphQLError:
    return GraphQLError(
        message, error.nodes, error.source, error.positions, error.path, extensions=extensions
    )

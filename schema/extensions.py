"""The hooks of extensions, whose kind Strawberry finds out anew for each operation."""

from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, nullcontext
from functools import cache, partial
from inspect import isasyncgenfunction, isgeneratorfunction
from typing import Any

from strawberry.extensions import SchemaExtension
from strawberry.extensions.context import (
    ExecutingContextManager,
    ExtensionContextManagerBase,
    OperationContextManager,
    ParsingContextManager,
    ValidationContextManager,
    WrappedHook,
)
from strawberry.extensions.runner import SchemaExtensionsRunner
from strawberry.types import ExecutionContext
from strawberry.types.execution import StreamExecutionResult


class Hooks(ExtensionContextManagerBase):
    def get_hook(self, extension: SchemaExtension) -> WrappedHook | None:
        kind: Any = type(extension)
        manager, is_async = _manager(kind, self.HOOK_NAME)
        return manager and WrappedHook(extension, partial(manager, extension), is_async)


@cache
def _manager(kind: Any, name: str) -> tuple[Any, bool]:
    """Of the hook of a kind of extension, which is a generator; None where it has none."""
    hook = getattr(kind, name)
    if hook is getattr(SchemaExtension, name):
        return None, False
    if isasyncgenfunction(hook):
        return asynccontextmanager(hook), True
    if isgeneratorfunction(hook):
        return contextmanager(hook), False
    raise TypeError(f"{kind.__name__}.{name} is no generator")


class Operation(Hooks, OperationContextManager): ...


class Parsing(Hooks, ParsingContextManager): ...


class Validation(Hooks, ValidationContextManager): ...


class Executing(Hooks, ExecutingContextManager): ...


class Runner(SchemaExtensionsRunner):
    """Asks nothing of the extensions for each event: none of ours has an answer."""

    def operation(self) -> Operation:
        return Operation(self.extensions)

    def parsing(self) -> Parsing:
        return Parsing(self.extensions)

    def validation(self) -> Validation:
        return Validation(self.extensions)

    def executing(self) -> Executing:
        return Executing(self.extensions)

    async def get_extensions_results(self, _: ExecutionContext) -> dict[str, Any]:
        return {}

    def on_stream_result(self, _: StreamExecutionResult) -> AbstractAsyncContextManager[None]:  # type: ignore[override]
        return nullcontext()

"""What went wrong, in the one line that a person can act on."""

from pydantic import ValidationError
from pydantic_settings import SettingsError


class Failure(Exception):
    """Ends a command with its message alone and exit code 1."""


def explain(error: ValidationError | SettingsError) -> str:
    """Names the variables, never their values: they may be secrets."""
    if isinstance(error, SettingsError):
        return f"bad setting: {error}"
    return "bad setting: " + "; ".join(
        f"PARLEY_{'.'.join(str(part) for part in fault['loc']).upper()}: {fault['msg']}"
        if fault["loc"]
        else fault["msg"].removeprefix("Value error, ")
        for fault in error.errors(include_url=False, include_input=False)
    )

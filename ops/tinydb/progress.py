from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""(step, done, total): called as rows go by."""


def silent(step: str, done: int, total: int) -> None:
    """Shows nothing."""

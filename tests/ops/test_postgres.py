import asyncio
import os
import pwd
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import asyncpg
import psutil
import pytest

from core.settings import CHECKOUT
from ops import postgres_account
from ops.database import create_database
from ops.failure import Failure
from ops.postgres import running
from ops.postgres_account import Account, account_of, make_readable
from ops.postgres_cluster import PostgresFailed
from tests.ops.commands import gone, postgres_on
from tests.ops.places import temporary_place

USER_OF_IT = """
import signal, sys, time
from pathlib import Path
from ops.postgres import running
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell ignores it in the background
with running(Path(sys.argv[1])) as socket:
    print(socket, flush=True)
    time.sleep(60)
"""


@pytest.fixture(scope="module")
def made() -> Iterator[Path]:
    """A data directory, stopped. Tests restore it to that."""
    with temporary_place() as directory:
        with running(directory / "postgres"):
            pass
        yield directory / "postgres"


@contextmanager
def another_user(directory: Path) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", USER_OF_IT, str(directory)],
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        yield process
        process.kill()


def write(socket: Path, statement: str) -> None:
    asyncio.run(_write(socket, statement))


async def _write(socket: Path, statement: str) -> None:
    connection = await asyncpg.connect(user="postgres", database="postgres", host=str(socket))
    await connection.execute(statement)
    await connection.close()


def test_data_stays_and_nothing_runs_in_between(made: Path) -> None:
    with running(made) as socket:
        write(socket, "CREATE TABLE kept ()")
    assert not postgres_on(made)
    with running(made) as socket:
        write(socket, "DROP TABLE kept")


def test_text_folds_and_sorts_alike_everywhere(made: Path) -> None:
    with running(made) as socket:
        write(socket, "DO $$ BEGIN ASSERT lower('ÄÉ') = 'äé' AND 'Z' < 'a'; END $$")


def test_it_listens_on_no_port_and_to_nobody_else(made: Path) -> None:
    with running(made) as socket:
        (server,) = postgres_on(made)
        assert not server.net_connections("inet")
        assert socket.stat().st_mode & 0o077 == 0


def test_the_last_user_stops_it(made: Path) -> None:
    with another_user(made):
        with running(made):
            assert len(postgres_on(made)) == 1
        assert len(postgres_on(made)) == 1
    with running(made) as socket:  # the other one was killed, and forgotten
        write(socket, "SELECT 1")
    assert gone(made)


def test_many_start_at_once(made: Path) -> None:
    users = [
        subprocess.Popen(
            [sys.executable, "-c", USER_OF_IT.replace("60", "0.3"), str(made)],
            cwd=CHECKOUT,
            stdout=subprocess.DEVNULL,
        )
        for _ in range(4)
    ]
    assert [user.wait(60) for user in users] == [0] * 4
    assert gone(made)


def test_a_killed_server_recovers(made: Path) -> None:
    with running(made) as socket:
        write(socket, "CREATE TABLE kept ()")
        for process in postgres_on(made):
            family = [process, *process.children()]
            for member in family:
                member.kill()
            psutil.wait_procs(family)
    with running(made) as socket:
        write(socket, "DROP TABLE kept")


def test_a_process_number_that_another_process_has_by_now(made: Path) -> None:
    """After a restart of the machine or the container the number in postmaster.pid may be
    anybody's. Here it is a process of the server's own account, which PostgreSQL respects."""
    account = account_of(made)
    with subprocess.Popen(["sleep", "60"], **account.popen_arguments()) as sleeper:
        lines = [sleeper.pid, made, 1, 5432, made, "", "0 0", "ready", ""]
        (made / "postmaster.pid").write_text("\n".join(map(str, lines)))
        with running(made) as socket:
            write(socket, "SELECT 1")
        sleeper.kill()


def test_an_interrupted_start_leaves_nothing(place: Path) -> None:
    starting = subprocess.Popen(
        [sys.executable, "-c", USER_OF_IT, str(place / "postgres")],
        cwd=CHECKOUT,
        stderr=subprocess.DEVNULL,
    )
    while not list(place.glob("postgres.new*/*")):
        assert starting.poll() is None
    starting.kill()  # in the middle of initdb
    starting.wait()
    with running(place / "postgres") as socket:
        write(socket, "SELECT 1")
    with running(place / "postgres"):  # by now the abandoned initdb has ended
        assert not list(place.glob("postgres.new*"))


@pytest.mark.parametrize("name", ["x" * 120, "with space, comma & 'quote'"])
def test_paths_that_do_not_fit_a_socket(place: Path, name: str) -> None:
    with running(place / name / "postgres") as socket:
        write(socket, "SELECT 1")
        assert socket != place / name / "postgres"
        assert socket.stat().st_mode & 0o077 == 0
    assert not socket.exists()


def test_a_broken_configuration_is_one_line(made: Path) -> None:
    configuration = made / "postgresql.auto.conf"
    good = configuration.read_text()
    configuration.write_text("max_connections = many")
    with pytest.raises(PostgresFailed, match=r"does not start: .*FATAL"), running(made):
        pass
    configuration.write_text(good)


def test_a_directory_of_something_else_is_left_alone(place: Path) -> None:
    (place / "letters").mkdir()
    (place / "letters" / "to-anna.txt").write_text("Dear Anna")
    with (
        pytest.raises(PostgresFailed, match="holds something else"),
        running(place / "letters"),
    ):
        pass
    assert (place / "letters" / "to-anna.txt").read_text() == "Dear Anna"


def test_nowhere_to_write() -> None:
    with pytest.raises(PostgresFailed, match="cannot write to /proc"), running(Path("/proc/x/y")):
        pass


def test_it_starts_again_for_the_next_after_an_error_inside(made: Path) -> None:
    with pytest.raises(ZeroDivisionError), running(made):
        _ = 1 / 0
    assert gone(made)


def test_the_database_is_made_once(made: Path) -> None:
    async def twice(socket: Path) -> None:
        await asyncio.gather(*(create_database(socket, "one") for _ in range(8)))
        await create_database(socket, "one")

    with running(made) as socket:
        asyncio.run(twice(socket))


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_root_runs_it_as_the_owner_of_the_files(place: Path) -> None:
    assert account_of(place / "new").uid not in {0, 12345}
    os.chown(place, 12345, 12346)
    assert account_of(place) == Account(12345, 12346)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_a_user_is_not_added_silently(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"parley-{os.getpid()}"
    monkeypatch.setattr(postgres_account, "NAME", name)
    said: list[str] = []
    try:
        account = account_of(tmp_path / "new", said.append)
        assert pwd.getpwnam(name).pw_uid == account.uid
        assert account_of(tmp_path / "new", said.append) == account
    finally:
        subprocess.run(["userdel", name], check=True)
    assert said == [f"adding the user {name} to this machine: PostgreSQL does not run as root"]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_several_add_one_user(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"parley-{os.getpid()}"
    account = (
        "import sys; from pathlib import Path; from ops import postgres_account as it;"
        "it.NAME = sys.argv[1]; print(it.account_of(Path(sys.argv[2])))"
    )
    command = [sys.executable, "-c", account, name, str(place / "new")]
    try:
        with ExitStack() as stack:
            several = [
                stack.enter_context(
                    subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True)
                )
                for _ in range(12)
            ]
            said = {process.communicate()[0] for process in several}
        assert said == {f"{Account(*pwd.getpwnam(name)[2:4])}\n"}
    finally:
        subprocess.run(["userdel", name], check=True)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may do everything")
def test_files_of_another_person_are_refused() -> None:
    with pytest.raises(Failure, match="belongs to the user root"):
        account_of(Path("/etc"))


def test_programs_become_readable(place: Path) -> None:
    (place / "bin").mkdir(mode=0o700)
    (place / "bin" / "program").touch(0o700)
    (place / "text").touch(0o600)
    make_readable(place)
    modes = {path.name: path.stat().st_mode & 0o777 for path in place.rglob("*")}
    assert modes == {"bin": 0o755, "program": 0o755, "text": 0o644}


def test_parents_become_passable_not_readable(place: Path) -> None:
    said: list[str] = []
    place.chmod(0o700)
    Account(12345, 12345).open_way(place / "postgres", said.append)
    assert place.stat().st_mode & 0o777 == 0o701
    assert str(place) in "".join(said)


def test_signals_of_the_terminal_do_not_reach_it(made: Path) -> None:
    with another_user(made) as process:
        (server,) = postgres_on(made)
        assert os.getpgid(server.pid) != os.getpgid(process.pid)
        assert server.status() != psutil.STATUS_ZOMBIE
        process.send_signal(signal.SIGINT)
        process.wait(30)
    assert gone(made)


def test_old_errors_in_the_log_are_not_the_reason(made: Path) -> None:
    log = made / "log"
    log.write_text("FATAL: long ago\n")
    log.chmod(0o400)
    account = account_of(made)
    os.chown(log, account.uid, account.gid)
    with pytest.raises(PostgresFailed, match="it cannot write its log"), running(made):
        pass
    log.chmod(0o600)
    with running(made):
        pass
    assert "role" not in log.read_text().split("long ago")[1]

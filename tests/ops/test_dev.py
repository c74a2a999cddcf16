"""`python -m ops dev`, as a person meets it: started, asked, stopped in every way."""

import signal
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from core.settings import Settings
from ops.dev import banner, listen
from ops.failure import Failure
from ops.postgres import running
from tests.ops.commands import Command, failure, gone, postgres_on, run
from tests.ops.places import temporary_place

QUERY = "{ viewer { user { username } } tenant { slug } conversations(first: 1) { totalCount } }"

UNFINISHED = (
    b"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    b"Content-Length: 100\r\nExpect: 100-continue\r\n\r\n"
)


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """A data directory whose database has been made."""
    with temporary_place() as home:
        assert run("seed", data_dir=home)[0] == 0
        yield home
        with running(home / "postgres"):
            pass  # stops what a failed test has left


@pytest.fixture(autouse=True)
def no_survivors() -> Iterator[None]:
    yield
    Command.stop_all()


@pytest.fixture
def port() -> int:
    return free_port()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def ask(token: str, port: int) -> dict[str, object]:
    response = httpx.post(
        f"http://127.0.0.1:{port}/graphql",
        json={"query": QUERY},
        headers={"Authorization": f"Bearer {token}", "X-Tenant": "demo"},
    )
    body: dict[str, object] = response.json()
    return body


@pytest.fixture
def served(home: Path, port: int) -> tuple[Command, str]:
    """A running server, and the address that it printed."""
    command = Command.started("dev", data_dir=home, port=port)
    return command, command.line("http://")


def test_the_printed_address_signs_in(served: tuple[Command, str], port: int) -> None:
    command, address = served
    origin, fragment = address.split("/graphql#")
    assert origin == f"http://127.0.0.1:{port}"
    token, tenant = (part.split("=", 1)[1] for part in fragment.split("&"))
    assert tenant == "demo"
    assert ask(token, port) == {
        "data": {
            "viewer": {"user": {"username": "admin"}},
            "tenant": {"slug": "demo"},
            "conversations": {"totalCount": 12},
        }
    }
    command.stopped(signal.SIGINT)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_stopped_cleanly(served: tuple[Command, str], home: Path, how: signal.Signals) -> None:
    command, _ = served
    code, _, err = command.stopped(how)
    assert code == 0, err
    assert "Traceback" not in err
    assert not postgres_on(home / "postgres")
    assert not (home / "postgres" / "postmaster.pid").exists()


def test_stopped_while_a_client_holds_on(
    served: tuple[Command, str], home: Path, port: int
) -> None:
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(UNFINISHED)
        assert client.recv(100).startswith(b"HTTP/1.1 100")  # now it waits for the body
        code, _, _ = served[0].stopped(signal.SIGINT)
    assert code == 0
    assert not postgres_on(home / "postgres")


def test_killed_and_started_again(home: Path, port: int) -> None:
    first = Command.started("dev", data_dir=home, port=port)
    old = first.line("http://")
    first.process.kill()
    first.ended()
    assert postgres_on(home / "postgres")  # nobody was left to stop it
    second = Command.started("dev", data_dir=home, port=port)
    second.line("http://")
    assert "data" in ask(old.split("token=")[1].split("&")[0], port)
    assert second.stopped(signal.SIGINT)[0] == 0
    assert gone(home / "postgres")


def test_two_on_one_database(home: Path) -> None:
    ports = [free_port(), free_port()]
    both = [Command.started("dev", data_dir=home, port=port) for port in ports]
    tokens = [command.line("http://").split("token=")[1].split("&")[0] for command in both]
    assert ask(tokens[0], ports[1]) == ask(tokens[1], ports[0])
    both[0].stopped(signal.SIGINT)
    assert "data" in ask(tokens[0], ports[1])
    both[1].stopped(signal.SIGINT)
    assert gone(home / "postgres")


def test_stopped_while_it_starts(place: Path, port: int) -> None:
    command = Command.started("dev", data_dir=place, port=port)
    command.said("creating a database")
    assert command.stopped(signal.SIGTERM)[0] == 0
    assert gone(place / "postgres")


def test_a_taken_port_is_said_at_once(place: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        line = failure("dev", data_dir=place, port=port)
    assert line == (
        f"cannot listen on 127.0.0.1:{port}: Address already in use; "
        "PARLEY_PORT chooses another port"
    )
    assert not list(place.iterdir())


def test_hosts_without_an_address() -> None:
    with pytest.raises(Failure, match="is no address"):
        listen("host.invalid", 1024)


def test_a_port_is_free_right_after_it_was_used() -> None:
    """Connections that linger in TIME_WAIT must not keep the next run from starting."""
    port = free_port()
    for _ in range(2):
        with closing(listen("127.0.0.1", port)) as listener:
            client = socket.create_connection(("127.0.0.1", port))
            listener.accept()[0].close()
            client.close()


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("127.0.0.1", "http://127.0.0.1:8000"),
        ("0.0.0.0", "http://127.0.0.1:8000"),
        ("::", "http://[::1]:8000"),
        ("parley.test", "http://parley.test:8000"),
    ],
)
def test_addresses_that_a_browser_can_open(host: str, origin: str) -> None:
    text = banner(Settings(host=host, port=8000), "TOKEN")
    assert f"{origin}/graphql#token=TOKEN&tenant=demo" in text
    assert "Authorization: Bearer TOKEN" in text


def test_not_in_production() -> None:
    production = {"environment": "production", "jwt_keys": '{"a": "' + "x" * 32 + '"}'}
    line = failure("dev", database_url="postgresql://127.0.0.1:1/x", **production)
    assert "python -m ops dev is for development" in line

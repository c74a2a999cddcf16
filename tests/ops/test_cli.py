"""What every command shares: one clear line for what goes wrong, output that can be piped."""

import re
from pathlib import Path

import pytest

from core.credentials import AccessTokens
from core.settings import Settings
from tests.conftest import Database
from tests.ops.commands import Command, failure, run

NOWHERE = "postgresql://someone:hush@127.0.0.1:1/nowhere"


@pytest.mark.parametrize(
    ("variables", "line"),
    [
        (
            {"port": "99999"},
            "bad setting: PARLEY_PORT: Input should be less than or equal to 65535",
        ),
        ({"environment": "moon"}, "bad setting: PARLEY_ENVIRONMENT: Input should be"),
        ({"jwt_keys": "{hush"}, 'bad setting: error parsing value for field "jwt_keys"'),
        ({"environment": "production"}, "bad setting: production needs PARLEY_DATABASE_URL and"),
        (
            {"owner_database_url": NOWHERE},
            "cannot reach the database 127.0.0.1:1/nowhere: [Errno 111]",
        ),
        ({"owner_database_url": "hush"}, "cannot reach the database of a malformed URL"),
        (
            {"owner_database_url": "postgresql://127.0.0.1:1/nowhere?user=x&password=hush"},
            "cannot reach the database 127.0.0.1:1/nowhere: [Errno 111]",
        ),
        ({"database_url": NOWHERE}, "set PARLEY_OWNER_DATABASE_URL too"),
        ({"data_dir": "/proc/parley"}, "cannot write to /proc/parley"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_one_clear_line(variables: dict[str, str], line: str) -> None:
    said = failure("seed", **variables)
    assert said.startswith(line)
    assert "hush" not in said


def test_a_bad_key_is_refused_before_anything_starts(tmp_path: Path) -> None:
    line = failure("dev", data_dir=tmp_path, jwt_keys='{"a": "hush"}')
    assert line == "the key 'a' is shorter than 32 bytes"
    assert not list(tmp_path.iterdir())


async def test_a_weak_password_of_the_demo(database: Database) -> None:
    line = failure("seed", owner_database_url=database.url("parley_owner"), seed_password="hush")
    assert line == "PARLEY_SEED_PASSWORD: Must have at least 8 characters."


async def test_a_database_that_is_not_migrated(database: Database) -> None:
    connection = await database.connect()
    await connection.execute("ALTER TABLE tenants RENAME COLUMN slug TO slugs")
    await connection.close()
    line = failure("seed", owner_database_url=database.url("parley_owner"))
    assert line == "the database is not up to date: run python -m ops migrate"


async def test_commands_in_a_row(database: Database, tmp_path: Path) -> None:
    url = database.url("parley_owner")
    assert run("migrate", owner_database_url=url)[2] == "the database is up to date\n"
    first, second = (run("seed", owner_database_url=url) for _ in range(2))
    assert (first[0], first[1]) == (0, "")
    assert "added 3 users" in first[2]
    assert re.findall(r"^  (\w+)  \S{16}$", first[2], re.MULTILINE) == ["admin", "user2", "user3"]
    assert second == (0, "", "the demo workspace is complete: nothing to add\n")
    arguments = ["--user", "user3", "--tenant", "demo", "--minutes", "1"]
    code, out, err = run("token", *arguments, owner_database_url=url, data_dir=tmp_path)
    assert (code, err) == (0, "")
    AccessTokens.of(Settings(data_dir=tmp_path)).verify(out.removesuffix("\n"))
    line = failure(
        "token", "--user", "nobody", "--tenant", "demo", owner_database_url=url, data_dir=tmp_path
    )
    assert line == "'nobody' is no active member of a workspace 'demo'"


async def test_import_tinydb(database: Database, tmp_path: Path) -> None:
    file = tmp_path / "chat.json"
    file.write_text('{"users": {"1": {"username": "Anna", "created_at": 0}}}')
    url = database.url("parley_owner")
    code, out, _ = run("import-tinydb", str(file), "--tenant", "old", owner_database_url=url)
    assert code == 0
    assert out.startswith("workspace old: made")
    _, out, _ = run("import-tinydb", str(file), "--tenant", "old", owner_database_url=url)
    assert out.rstrip().endswith("nothing was changed: all of it was there already")
    file.write_text("{")
    code, out, err = run("import-tinydb", str(file), "--tenant", "old", owner_database_url=url)
    assert (code, out) == (1, "")
    assert err.strip().splitlines()[-1].startswith("error: ")


def test_commands_start_and_stop_the_embedded_database(place: Path) -> None:
    both = [Command.started("seed", data_dir=place) for _ in range(2)]
    results = [command.ended() for command in both]
    assert [code for code, _, _ in results] == [0, 0], results
    assert sum("added 3 users" in err for _, _, err in results) == 1
    assert not (place / "postgres" / "postmaster.pid").exists()


def test_help_lists_the_commands() -> None:
    code, out, _ = run("--help")
    assert code == 0
    assert all(name in out for name in ("dev", "migrate", "seed", "token", "import-tinydb"))

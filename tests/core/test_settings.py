import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from core.settings import CHECKOUT, Settings, address, socket_dir
from tests.ops.commands import environment

KEY = "0123456789abcdef0123456789abcdef"


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("PARLEY_")]:
        monkeypatch.delenv(name)


def settings(**values: object) -> Settings:
    return Settings.model_validate(values)


def test_the_embedded_database_is_the_default(tmp_path: Path) -> None:
    assert (
        settings(data_dir=tmp_path).app_url
        == f"postgresql://parley_app@/parley?host={tmp_path}/postgres"
    )
    assert settings(data_dir=tmp_path).owner_url.startswith("postgresql://parley_owner@/parley")


def test_configured_databases_win() -> None:
    configured = settings(database_url="postgresql://a", owner_database_url="postgresql://b")
    assert (configured.app_url, configured.owner_url) == ("postgresql://a", "postgresql://b")


def test_a_socket_elsewhere_is_found(tmp_path: Path) -> None:
    (tmp_path / "postmaster.pid").write_text("1\n/data\n0\n5432\n/else where&\n")
    assert socket_dir(tmp_path) == Path("/else where&")
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postmaster.pid").rename(tmp_path / "postgres" / "postmaster.pid")
    assert settings(data_dir=tmp_path).app_url.endswith("?host=/else%20where%26")


def test_a_relative_data_dir_is_meant_from_the_current_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert settings(data_dir="here").postgres_dir == tmp_path / "here" / "postgres"


def test_an_empty_variable_is_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARLEY_PORT", "")
    assert Settings().port == 8000


def test_production_needs_its_secrets() -> None:
    with pytest.raises(ValidationError, match="PARLEY_DATABASE_URL and PARLEY_JWT_KEYS"):
        settings(environment="production")
    settings(environment="production", database_url="postgresql://a", jwt_keys={"a": KEY})


def test_the_signing_key_must_exist() -> None:
    with pytest.raises(ValidationError, match="names no key"):
        settings(jwt_keys={"a": KEY}, jwt_signing_kid="b")


def test_argon2_needs_memory_for_each_lane() -> None:
    settings(argon2_memory_kib=32, argon2_parallelism=4)
    with pytest.raises(ValidationError, match="PARLEY_ARGON2_MEMORY_KIB"):
        settings(argon2_memory_kib=31, argon2_parallelism=4)


def test_limits_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARLEY_LIMIT_USER", "3/5 minutes")
    monkeypatch.setenv("PARLEY_LIMIT_TENANT", "off")
    read = settings()
    assert read.limit_user is not None
    assert (read.limit_user.amount, read.limit_user.get_expiry()) == (3, 300)
    assert read.limit_tenant is None
    for text in ("3", "many/minute", "3/fortnight", "-1/minute"):
        monkeypatch.setenv("PARLEY_LIMIT_USER", text)
        with pytest.raises(ValidationError, match="limit_user"):
            settings()


def test_no_secret_in_the_message_of_a_bad_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARLEY_JWT_KEYS", '["hush"]')
    with pytest.raises(ValidationError) as caught:
        Settings()
    assert "hush" not in str(caught.value)


def test_settings_cannot_change() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        settings().port = 1


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://h/db", "h/db"),
        ("postgresql://user:hush@h:5433/db", "h:5433/db"),
        ("postgresql://h/db?user=x&password=hush&sslmode=require", "h/db"),
        ("postgresql://user@/db?password=hush&host=/run/here", "/db?host=/run/here"),
        ("postgresql://[::1]:5433/db?host=%2Frun", "::1:5433/db?host=/run"),
        ("hush", "of a malformed URL"),
        ("postgresql://user:12hush@", ""),
        ("postgresql://user:hush", "of a malformed URL"),
        ("postgresql://user:hu/sh@h/db", "of a malformed URL"),
        ("postgresql://user:12?sh@h/db", "of a malformed URL"),
        ("postgresql://user:12#sh@h/db", "of a malformed URL"),
        ("postgresql://[hush", "of a malformed URL"),
    ],
)
def test_an_address_shows_no_password(url: str, shown: str) -> None:
    assert address(url) == shown


HOSTILE = "PARLEY_OWNER_DATABASE_URL=postgresql://developers.own/database"
PRINT = "import {}; from core.settings import Settings; print(Settings().owner_url)"


@pytest.mark.parametrize(
    ("variables", "module", "obeyed"),
    [
        ({}, "tests", False),
        (environment(), "core", False),
        ({}, "core", True),  # a file that nobody obeys would prove nothing
    ],
)
def test_tests_do_not_obey_the_developers_env_file(
    tmp_path: Path, variables: dict[str, str], module: str, obeyed: bool
) -> None:
    for name in ("core", "tests"):
        (tmp_path / name).mkdir()
        for file in (CHECKOUT / name).glob("*.py"):
            shutil.copy(file, tmp_path / name)
    (tmp_path / ".env").write_text(HOSTILE)
    shown = subprocess.run(
        [sys.executable, "-c", PRINT.format(module)],
        check=True,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"]} | variables,
    ).stdout
    assert ("developers.own" in shown) is obeyed


def test_this_run_reads_no_env_file() -> None:
    assert Settings.model_config["env_file"] == os.devnull


def test_compilation_can_be_off(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings().compile_after == 1
    for text, after in (("0", 0), ("3", 3), ("off", None)):
        monkeypatch.setenv("PARLEY_COMPILE_AFTER", text)
        assert Settings().compile_after == after
    monkeypatch.setenv("PARLEY_COMPILE_AFTER", "-1")
    with pytest.raises(ValidationError, match="compile_after"):
        Settings()

"""python -m ops …: what a person runs."""

import asyncio
import signal
import sys
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import asyncpg
import typer
from pydantic import ValidationError
from pydantic_settings import SettingsError

from core.credentials import UnusableKey
from core.settings import Settings
from ops.database import available, migrated
from ops.dev import serve
from ops.failure import Failure
from ops.migrate import migrate
from ops.progress import bars
from ops.purge import purge, shown
from ops.seed import seed
from ops.tinydb import import_tinydb
from ops.token import TokenRequest, mint

app = typer.Typer(
    help="Parley, for whoever runs it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def say(line: str) -> None:
    """To stderr: what a command prints can be used by another one."""
    with suppress(OSError):  # the terminal was closed; what is to be stopped must stop
        print(line, file=sys.stderr, flush=True)


@app.command("dev")
def dev_command() -> None:
    """Serve, on a migrated database with the demo workspace."""
    serve(Settings(), say)


@app.command("migrate")
def migrate_command() -> None:
    """Bring the database up to date. Any number of processes may try at once."""
    with available(settings := Settings(), say):
        ran = asyncio.run(migrate(settings.owner_url, say))
    say(f"ran {ran} migrations" if ran else "the database is up to date")


@app.command("seed")
def seed_command() -> None:
    """Add the demo workspace, or what is missing of it."""
    with migrated(settings := Settings(), say):
        say(str(asyncio.run(seed(settings))))


@app.command("purge")
def purge_command(
    older_than: Annotated[int, typer.Option(min=1, max=36_500, help="Days ago.")],
) -> None:
    """Remove for good what was deleted, and sessions that ended, more than so many days ago."""
    with migrated(settings := Settings(), say):
        gone = asyncio.run(purge(settings, timedelta(days=older_than), say))
    say(f"removed {shown(gone)}")


@app.command("token")
def token_command(
    user: Annotated[str, typer.Option(help="Username or e-mail address.")],
    tenant: Annotated[str, typer.Option(help="Slug of the workspace.")],
    minutes: Annotated[int, typer.Option(min=1, help="How long it lasts.")] = 24 * 60,
) -> None:
    """Print an access token. In development only."""
    request = TokenRequest(user, tenant, timedelta(minutes=minutes))
    with migrated(settings := Settings(), say):
        print(asyncio.run(mint(settings, request)))


@app.command("import-tinydb")
def import_tinydb_command(
    file: Annotated[Path, typer.Argument(help="A TinyDB database.")],
    tenant: Annotated[str, typer.Option(help="Slug of the workspace, made when it is missing.")],
    owner: Annotated[
        str | None, typer.Option(help="Username of its OWNER; by default the file's first user.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="Where to write what could not be taken as it stands.")
    ] = None,
) -> None:
    """Bring a TinyDB file into a workspace. A second run adds only what is new in the file."""
    with migrated(settings := Settings(), say):
        with bars() as progress:
            summary = asyncio.run(
                import_tinydb(
                    settings,
                    file,
                    tenant=tenant,
                    owner=owner,
                    report=report,
                    progress=progress,
                )
            )
        print("\n".join(summary.lines()))


def main() -> None:
    """Every way to be told to stop is Ctrl-C: what was started is stopped."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as under nohup
        signal.signal(signal.SIGHUP, lambda *_: signal.raise_signal(signal.SIGTERM))
    try:
        app(prog_name="python -m ops")
    except (ValidationError, SettingsError) as error:
        stop(explain(error))
    except (Failure, UnusableKey) as error:
        stop(str(error))
    except asyncpg.PostgresError as error:
        stop(f"the database answered: {error}")


def explain(error: ValidationError | SettingsError) -> str:
    """Names the variables, never their values: they may be secrets."""
    if isinstance(error, SettingsError):
        return f"bad setting: {error}"
    return "bad setting: " + "; ".join(
        f"PARLEY_{'.'.join(str(part) for part in fault['loc']).upper()}: {fault['msg']}"
        if fault["loc"]
        else fault["msg"].removeprefix("Value error, ")
        for fault in error.errors(include_url=False, include_input=False)
    )


def stop(reason: str) -> None:
    say(f"error: {' '.join(reason.split())}")
    sys.exit(1)


if __name__ == "__main__":
    main()

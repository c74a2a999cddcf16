"""Every setting, read once from the environment (prefix PARLEY_) and `.env`, or the file that
PARLEY_ENV_FILE names."""

import os
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import parse_qs, quote, urlsplit

from limits import RateLimitItem, parse
from pydantic import BeforeValidator, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

CHECKOUT = Path(__file__).resolve().parent.parent
MALFORMED = "of a malformed URL"

Seconds = Annotated[float, Field(gt=0)]


def _limit(value: object) -> object:
    if value == "off":
        return None
    return parse(value) if isinstance(value, str) else value


Limit = Annotated[RateLimitItem | None, BeforeValidator(_limit)]
"""As "100/minute", "10/5 minutes", or "off"."""


def _or_off(value: object) -> object:
    return None if value == "off" else value


class Settings(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix="PARLEY_",
        env_file=os.environ.get("PARLEY_ENV_FILE", CHECKOUT / ".env"),
        env_ignore_empty=True,
        frozen=True,
        extra="ignore",
        arbitrary_types_allowed=True,
        hide_input_in_errors=True,  # a bad value may be a secret
    )

    environment: Literal["development", "test", "production"] = "development"
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535)] = 8000

    data_dir: Path = CHECKOUT / ".data"
    """Home of the embedded PostgreSQL and of the development key."""

    database_url: str | None = None
    """Login of the server (parley_app). Unset: the embedded PostgreSQL in `data_dir`."""

    owner_database_url: str | None = None
    """Login of migrations and imports (parley_owner)."""

    pool_size: Annotated[int, Field(ge=1)] = 16
    acquire_timeout: Annotated[float, Field(gt=0)] = 5.0
    """Seconds that a request waits for a connection."""

    statement_timeout: Annotated[float, Field(gt=0)] = 10.0
    """Seconds after which PostgreSQL cancels a statement."""

    statement_cache_size: Annotated[int, Field(ge=0)] = 128
    """Prepared statements kept per connection; 0 behind PgBouncer in transaction mode."""

    valkey_url: SecretStr | None = None
    """Cache, rate limits and wake-ups of all processes, as "valkey://host:6379/0". Unset: cache and
    limits are of each process its own, and PostgreSQL tells them what has changed."""

    listen_database_url: str | None = None
    """The server's login for LISTEN and NOTIFY, which no pooler in transaction mode lets through.
    Unset: the URL of `database_url`. Not used with Valkey, which tells what has changed then."""

    subscription_poll_seconds: Seconds = 5
    """How often subscriptions look by themselves, for changes that nobody told them of."""

    subscription_queue: Annotated[int, Field(ge=1)] = 500
    """Changes that may wait for a slow client, before its subscription is ended."""

    cache_seconds: Annotated[int, Field(ge=0)] = 300
    """How long sessions, users and memberships are cached; 0: not at all."""

    cache_warm_up: Annotated[int, Field(ge=0)] = 0
    """How many of the sessions that were used last are cached when the server starts."""

    jwt_algorithm: Literal["HS256", "EdDSA"] = "HS256"
    jwt_keys: dict[str, SecretStr] = {}
    """kid -> secret of at least 32 bytes (HS256) or PEM (EdDSA; a public key only verifies)."""

    jwt_signing_kid: str | None = None
    """The key that signs; by default the last one of `jwt_keys`."""

    access_token_seconds: Seconds = 900
    session_seconds: Seconds = 30 * 86400
    """How long a session lasts after it was last refreshed."""

    refresh_grace_seconds: Seconds = 30
    """How long a refresh token that was exchanged already may be shown again, by a tab that did
    not get the answer, as long as its successor was not used."""

    refresh_cookie: bool = False
    """Whether browser apps may keep the refresh token in a cookie."""

    argon2_memory_kib: Annotated[int, Field(ge=8)] = 19 * 1024
    argon2_time_cost: Annotated[int, Field(ge=1)] = 2
    argon2_parallelism: Annotated[int, Field(ge=1)] = 1
    """OWASP's minimum. A sign-in hashes anew what was hashed with other parameters."""

    sign_in_floor: Annotated[float, Field(ge=0)] = 0.5
    """Seconds that a failed sign-in takes, or a multiple: how its password was hashed, or whether
    there was one, does not show."""

    limit_address: Limit = parse("12000/minute")
    limit_user: Limit = parse("6000/minute")
    limit_tenant: Limit = parse("60000/minute")
    limit_send: Limit = None
    """Messages that one person sends, in all workspaces. They count as requests, too."""

    limit_sign_in: Limit = parse("10/5 minutes")
    """Failures in a row to sign in to one account from one address."""

    limit_sign_in_account: Limit = parse("200/hour")
    limit_sign_in_address: Limit = parse("200/minute")
    limit_sign_up_address: Limit = parse("200/hour")
    limit_change_email: Limit = parse("20/hour")
    limit_create_tenant: Limit = parse("100/hour")
    limit_refresh_address: Limit = parse("600/minute")
    limit_refresh_session: Limit = parse("120/minute")

    seed_password: SecretStr | None = None
    """Of the demo workspace's people, who get one each when it is unset."""

    compile_after: Annotated[Annotated[int, Field(ge=0)] | None, BeforeValidator(_or_off)] = 1
    """How often graphql-core executes an operation before it is compiled (docs/execution.md), or
    "off"."""

    metrics_token: SecretStr | None = None
    """Bearer token of /metrics. Unset: there is no /metrics."""

    max_body_bytes: Annotated[int, Field(ge=1024)] = 1_000_000
    max_document_bytes: Annotated[int, Field(ge=0)] = 500_000
    """Of content. The body that carries it must fit into `max_body_bytes`, escaped as JSON."""

    allowed_origins: list[str] = []
    """Origins of browser apps on other hosts (CORS, sockets), as "https://app.example.com"."""

    max_connections: Annotated[int, Field(ge=1)] = 50
    """Sockets and event streams that one person may hold open, at each process."""

    max_operations: Annotated[int, Field(ge=1)] = 100
    """That may run at once on one socket."""

    connection_init_seconds: Seconds = 10.0
    """Within which a socket must say who it is of."""

    send_seconds: Seconds = 20.0
    """Within which a client must take what it is sent on a socket or an event stream."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.environment == "production":
            missing = [
                f"PARLEY_{name.upper()}"
                for name in ("database_url", "jwt_keys")
                if not getattr(self, name)
            ]
            if missing:
                raise ValueError(f"production needs {' and '.join(missing)}")
        if self.jwt_signing_kid is not None and self.jwt_signing_kid not in self.jwt_keys:
            raise ValueError("PARLEY_JWT_SIGNING_KID names no key of PARLEY_JWT_KEYS")
        if self.argon2_memory_kib < 8 * self.argon2_parallelism:
            raise ValueError(
                "PARLEY_ARGON2_MEMORY_KIB must be 8 for each of …_PARALLELISM (RFC 9106)"
            )
        return self

    @property
    def home(self) -> Path:
        """`data_dir`, absolute. A relative one is meant from the current directory."""
        return self.data_dir.expanduser().resolve()

    @property
    def postgres_dir(self) -> Path:
        """Data directory of the embedded PostgreSQL."""
        return self.home / "postgres"

    @property
    def app_url(self) -> str:
        return self.database_url or self._embedded_url("parley_app")

    @property
    def listen_url(self) -> str:
        return self.listen_database_url or self.app_url

    @property
    def owner_url(self) -> str:
        return self.owner_database_url or self._embedded_url("parley_owner")

    def _embedded_url(self, user: str) -> str:
        return f"postgresql://{user}@/parley?host={quote(str(socket_dir(self.postgres_dir)))}"


def address(url: str) -> str:
    """Where a database is, without who logs in and how. Nothing of a malformed URL is shown: what
    is the password in it, nobody knows."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return MALFORMED
    if not parts.scheme or "@" in parts.path + parts.query + parts.fragment:
        return MALFORMED
    sockets = ",".join(parse_qs(parts.query).get("host", []))
    return f"{parts.hostname or ''}{port}{parts.path}{sockets and '?host=' + sockets}"


def socket_dir(postgres_dir: Path) -> Path:
    """Where a running PostgreSQL listens: line 5 of its postmaster.pid. A long path of the data
    directory does not fit into a socket's name, so it may be elsewhere."""
    try:
        return Path((postgres_dir / "postmaster.pid").read_text().splitlines()[4])
    except (OSError, IndexError):
        return postgres_dir

"""Every environment variable of Gatehouse, with default, unit and description.

Each secret `NAME` can also come from a file named by `NAME_FILE` (Docker and Kubernetes secrets).
Settings are built once in a process's `main` and passed on, never imported.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator

from app import __version__
from app.errors import ConfigurationError

DISCORD_API = "https://discord.com/api/v10"
INSTALL_PAGE = "https://discord.com/oauth2/authorize"
"""With `?client_id=` it opens the install dialog, with the scopes that the Developer Portal sets (contract 6.1)."""


def _env(name: str, default: Any, description: str, *, secret: bool = False, **rules: Any) -> Any:
    return Field(
        default,
        validation_alias=AliasChoices(name),
        description=description,
        json_schema_extra={"variable": name, "secret": secret},
        **rules,
    )


class Settings(BaseModel):
    """Read with `Settings.from_environment()`; raises ConfigurationError naming the variable."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    # Discord
    discord_token: SecretStr | None = _env(
        "DISCORD_TOKEN", None, "Bot token from the Developer Portal.", secret=True
    )
    discord_application_id: int | None = _env(
        "DISCORD_APPLICATION_ID", None, "Application id (a snowflake).", gt=0, lt=2**63
    )
    discord_public_key: str | None = _env(
        "DISCORD_PUBLIC_KEY", None, "Ed25519 public key of the application, 64 hex digits."
    )
    discord_api_base: str = _env("DISCORD_API_BASE", DISCORD_API, "Root of the REST API, version included.")
    bot_url: str | None = _env(
        "BOT_URL",
        None,
        "Web page about this bot, told to Discord with every REST call (User-Agent). Unset: its install link.",
    )
    discord_global_rate: int = _env(
        "DISCORD_GLOBAL_RATE",
        50,
        "REST calls per second of the whole bot; Discord raises its limit for very large bots.",
        ge=1,
        le=10_000,
    )
    discord_egress: str = _env(
        "DISCORD_EGRESS",
        "default",
        "Name of the IP address that REST calls leave from; processes behind one address share a name.",
    )
    discord_processes: int = _env(
        "DISCORD_PROCESSES",
        8,
        "Processes that share the REST limits, assumed while Redis cannot tell.",
        ge=1,
        le=10_000,
    )
    custom_id_keys: SecretStr | None = _env(
        "CUSTOM_ID_KEYS",
        None,
        "Keys that sign component ids, `kid:hex,kid:hex` (kid: 1-16 letters or digits, hex: 64 digits). "
        "The first signs, all verify. Unset: one is made and kept in DATA_DIR.",
        secret=True,
    )
    # Stores
    database_url: SecretStr | None = _env(
        "DATABASE_URL", None, "PostgreSQL URL. Unset: an embedded server in DATA_DIR.", secret=True
    )
    database_pool_size: int = _env(
        "DATABASE_POOL_SIZE", 10, "Connections per process at the most.", ge=1, le=500
    )
    redis_url: SecretStr | None = _env(
        "REDIS_URL", None, "Redis URL. Unset: an embedded server in DATA_DIR.", secret=True
    )
    data_dir: Path = _env(
        "DATA_DIR", Path(".gatehouse"), "Folder of the embedded servers, generated keys and logs."
    )
    git_revision: str | None = _env(
        "GIT_REVISION", None, "Revision that an image was built from; a checkout asks git.", max_length=60
    )
    # OpenAI
    openai_api_key: SecretStr | None = _env(
        "OPENAI_API_KEY", None, "Key for moderation stages 2 and 3. Unset: rules only.", secret=True
    )
    openai_base_url: str = _env(
        "OPENAI_BASE_URL", "https://api.openai.com/v1", "Root of an OpenAI-compatible API."
    )
    # Web
    port: int = _env("PORT", 8000, "TCP port of the web app.", ge=0, le=65535)
    host: str = _env("HOST", "127.0.0.1", "Address that the servers listen on; 0.0.0.0 in a container.")
    trusted_proxies: Annotated[tuple[str, ...], Field(default=())] = _env(
        "TRUSTED_PROXIES",
        (),
        "Comma-separated networks whose forwarding headers count; `cloudflare` names Cloudflare's ranges.",
    )
    # Inbound limits: `count/seconds`, a sliding window, or `off`
    limit_user: str = _env("LIMIT_USER", "10/10", "Commands, components and modals per user (seed S0).")
    limit_user_command: str = _env("LIMIT_USER_COMMAND", "5/60", "Uses of one command per user (seed S0).")
    limit_guild: str = _env("LIMIT_GUILD", "50/60", "Interactions per guild that count as abuse (seed S0).")
    limit_autocomplete: str = _env("LIMIT_AUTOCOMPLETE", "40/10", "Autocomplete requests per user.")
    limit_unsigned: str = _env(
        "LIMIT_UNSIGNED", "20/60", "Unsigned or badly signed requests per client address (seed S4)."
    )
    limit_api: str = _env("LIMIT_API", "60/60", "Requests to /api per client address (seed S4).")
    limit_verify: str = _env("LIMIT_VERIFY", "5/60", "Requests to /verify per client address (seed S4).")
    shutdown_seconds: float = _env(
        "SHUTDOWN_SECONDS", 8.0, "Seconds that a process may take to finish running work on SIGTERM.", gt=0
    )
    # Gateway
    shard_count: int | Literal["auto"] = _env("SHARD_COUNT", "auto", "`auto` asks Discord, or a number.")
    shard_start: int | None = _env("SHARD_START", None, "First shard id of this instance.", ge=0)
    shard_end: int | None = _env("SHARD_END", None, "Last shard id of this instance, inclusive.", ge=0)
    total_shards: int | None = _env("TOTAL_SHARDS", None, "Shards over all instances.", ge=1)
    shards_per_cluster: int | None = _env("SHARDS_PER_CLUSTER", None, "Shards per process.", ge=1)
    cluster_count: int | None = _env("CLUSTER_COUNT", None, "Processes of this instance.", ge=1)
    health_port: int = _env(
        "HEALTH_PORT",
        3000,
        "Health port of the first ingester process; the next take +2, +3 ...",
        ge=0,
        le=65535,
    )
    stream_max_entries: int = _env(
        "STREAM_MAX_ENTRIES",
        50_000,
        "Entries of one of the 16 event streams at the most (about 2 kB each); older ones are dropped unread.",
        ge=1000,
    )
    manager_health_port: int = _env(
        "MANAGER_HEALTH_PORT", 3001, "Health port of the ingester's supervisor.", ge=0, le=65535
    )
    worker_health_port: int = _env("WORKER_HEALTH_PORT", 3100, "Health port of a worker.", ge=0, le=65535)
    worker_concurrency: int = _env(
        "WORKER_CONCURRENCY", 16, "Events that a worker handles at once, per consumer group.", ge=1, le=1000
    )
    # Logs
    log_level: Literal["debug", "info", "warning", "error"] = _env(
        "LOG_LEVEL", "info", "debug, info, warning or error."
    )
    log_to_stdout: bool = _env(
        "LOG_TO_STDOUT", True, "Write JSON lines to standard output instead of files in DATA_DIR/logs."
    )
    log_retention_days: int = _env(
        "LOG_RETENTION_DAYS", 14, "Days that daily log files are kept (seed S3).", ge=1
    )

    @field_validator("trusted_proxies", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator(
        "limit_user",
        "limit_user_command",
        "limit_guild",
        "limit_autocomplete",
        "limit_unsigned",
        "limit_api",
        "limit_verify",
    )
    @classmethod
    def _window(cls, value: str) -> str:
        if value == "off":
            return value
        count, _, seconds = value.partition("/")
        if not (_is_number(count) and _is_number(seconds)) or not (
            1 <= int(count) <= 1000 and 1 <= int(seconds) <= 86_400
        ):
            message = "must be count/seconds, e.g. 10/60 (1-1000 in 1-86400 s), or off"
            raise ValueError(message)
        return value

    @field_validator("discord_public_key")
    @classmethod
    def _hex_key(cls, value: str | None) -> str | None:
        if value is not None and (len(value) != 64 or not all(c in "0123456789abcdefABCDEF" for c in value)):
            message = "must be 64 hex digits, as shown under General Information in the Developer Portal"
            raise ValueError(message)
        return value

    @field_validator("database_url")
    @classmethod
    def _database_url(cls, value: SecretStr | None) -> SecretStr | None:
        # As below. What follows the scheme is libpq's to judge, when the URL is first used.
        if value is not None and not value.get_secret_value().startswith(("postgresql://", "postgres://")):
            message = "must start with postgresql:// or postgres://"
            raise ValueError(message)
        return value

    @field_validator("redis_url")
    @classmethod
    def _redis_url(cls, value: SecretStr | None) -> SecretStr | None:
        # The value itself may hold a password: the message does not quote it.
        if value is not None and not value.get_secret_value().startswith(
            ("redis://", "rediss://", "unix://")
        ):
            message = "must start with redis://, rediss:// or unix://"
            raise ValueError(message)
        return value

    @field_validator("bot_url")
    @classmethod
    def _fits_a_header(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"https?://[!-'*-~]+", value):
            message = "must be a URL of ASCII characters, without spaces and brackets"
            raise ValueError(message)
        return value

    @field_validator("discord_api_base", "openai_base_url")
    @classmethod
    def _http_url(cls, value: str) -> str:
        if not value.startswith(("http://", "https://")):
            message = "must start with http:// or https://"
            raise ValueError(message)
        return value.rstrip("/")

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Settings:
        """Build the settings. Empty values count as unset. Raises ConfigurationError, with all that is wrong."""
        source = os.environ if environment is None else environment
        values: dict[str, str] = {}
        for field in cls.model_fields.values():
            extra = field.json_schema_extra
            assert isinstance(extra, dict)
            name = str(extra["variable"])
            if value := source.get(name, "").strip():
                values[name] = value
            elif extra["secret"] and (path := source.get(f"{name}_FILE", "").strip()):
                values[name] = _read_secret(f"{name}_FILE", path)
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            wrong: dict[str, str] = {}
            for each in error.errors(include_input=False, include_url=False):
                wrong.setdefault(str(each["loc"][0]), each["msg"].removeprefix("Value error, "))
            (variable, problem), *others = wrong.items()
            also = tuple(ConfigurationError(*other) for other in others)
            raise ConfigurationError(variable, problem, also=also) from None

    @property
    def user_agent(self) -> str:
        """Return `DiscordBot (url, version)`, the form that Discord asks for; others may be blocked (contract 4.1)."""
        install = INSTALL_PAGE
        if self.discord_application_id is not None:
            install = f"{INSTALL_PAGE}?client_id={self.discord_application_id}"
        return f"DiscordBot ({self.bot_url or install}, {__version__})"

    def require(self, *names: str) -> None:
        """Raise ConfigurationError for the first of these fields that is unset, e.g. `discord_token`."""
        for name in names:
            if getattr(self, name) is None:
                extra = type(self).model_fields[name].json_schema_extra
                assert isinstance(extra, dict)
                raise ConfigurationError(str(extra["variable"]), "is not set")


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 6


def _read_secret(variable: str, path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(variable, f"cannot read {path}: {type(error).__name__}") from None

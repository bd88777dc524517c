"""The errors of Gatehouse.

AppError                      anything we raise on purpose; `code` is the operator's E-code (seed S3) or None
├── ConfigurationError        exit code 2, names the variable
├── UserError                 shown to the person in Discord, in their language
├── DiscordUnreachable  E001  network or 5xx after all retries
├── LoggedOut           E002  the bot token is refused
├── RateLimited         E003  no slot before the deadline
├── DatabaseUnavailable E004
├── ProcessCrashed      E005  crash loop, the supervisor gave up
├── MissingPermissions  E006  Discord 50001 / 50013
├── InvalidShardPlan    E007
├── MemoryExceeded      E008
├── DiskFull            E009
└── PoolExhausted       E010
"""

from __future__ import annotations

from typing import Any, ClassVar

from app.locale.text import Text


class AppError(Exception):
    """Something went wrong that we can name."""

    code: ClassVar[str | None] = None
    remedy: ClassVar[str] = ""

    def for_operator(self) -> str:
        """Return one line for stderr or a log: code, what is wrong, what to do."""
        parts = [f"{self.code}: " if self.code else "", str(self) or type(self).__doc__ or ""]
        if self.remedy:
            parts.append(f" ({self.remedy})")
        return "".join(parts)


class ConfigurationError(AppError):
    """A setting is missing or wrong. `also` are others that were found wrong with it."""

    def __init__(self, variable: str, problem: str, *, also: tuple[ConfigurationError, ...] = ()) -> None:
        super().__init__(f"{variable}: {problem}")
        self.variable = variable
        self.problem = problem
        self.also = also


class UserError(AppError):
    """A refusal that the person in Discord reads, in their language."""

    def __init__(self, message: str | Text, /, **params: Any) -> None:
        self.text = message if isinstance(message, Text) else Text(message, params=params)
        super().__init__(str(self.text))


class DiscordUnreachable(AppError):
    """Discord did not answer."""

    code = "E001"
    remedy = "check the network and DISCORD_API_BASE"


class LoggedOut(AppError):
    """Discord refuses the bot token."""

    code = "E002"
    remedy = "set a valid DISCORD_TOKEN and restart"


class RateLimited(AppError):
    """No rate-limit slot was free before the deadline."""

    code = "E003"
    remedy = "reduce the request rate or wait"


class DatabaseUnavailable(AppError):
    """PostgreSQL did not answer."""

    code = "E004"
    remedy = "check DATABASE_URL and the server"


class ProcessCrashed(AppError):
    """A child process keeps crashing."""

    code = "E005"
    remedy = "read its log above, then restart"


class MissingPermissions(AppError):
    """The bot lacks a permission in Discord."""

    code = "E006"
    remedy = "grant the permission or raise the bot's role"


class InvalidShardPlan(AppError):
    """The shard settings do not add up."""

    code = "E007"
    remedy = "check SHARD_COUNT, SHARD_START, SHARD_END, TOTAL_SHARDS, SHARDS_PER_CLUSTER and CLUSTER_COUNT"


class MemoryExceeded(AppError):
    """The memory limit is exceeded."""

    code = "E008"
    remedy = "give the process more memory"


class DiskFull(AppError):
    """The disk is full."""

    code = "E009"
    remedy = "free space in DATA_DIR and the log folder"


class PoolExhausted(AppError):
    """No database connection was free in time."""

    code = "E010"
    remedy = "raise DATABASE_POOL_SIZE or add replicas"

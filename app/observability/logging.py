"""Structured logs: JSON lines on stdout, or daily files in DATA_DIR/logs; secrets never reach them.

Everything logs through the standard library's `logging.getLogger(__name__)` with `extra={…}` fields; structlog
formats. The redactor removes what looks like a secret wherever it stands: it is the last line of defence, code
that handles secrets does not log them in the first place.
"""

from __future__ import annotations

import errno
import logging
import logging.handlers
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

from app.errors import ConfigurationError, DiskFull
from app.settings import Settings

REDACTED = "[redacted]"

SECRET_KEYS = frozenset(
    {
        "token",
        "authorization",
        "password",
        "secret",
        "api_key",
        "interaction_token",
        "content",
        "custom_id_keys",
    }
)

SECRET_PATTERNS = re.compile(
    r"""
    (?<=/interactions/)\d+/[^/\s"']+              # interaction tokens in URLs
    | (?<=/webhooks/)\d+/[^/\s"'?]+
    | \b[MNO][\w-]{22,30}\.[\w-]{5,7}\.[\w-]{25,}  # bot tokens
    | (?:Bot|Bearer)\s+[\w.-]{8,}
    | \bsk-[\w-]{8,}                               # OpenAI keys
    | (?<=://)[^/\s:@"']*:[^/\s@"']+(?=@)          # user:password in URLs
    """,
    re.VERBOSE,
)


def redact(_logger: object, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace secrets in the event and its fields (a structlog processor)."""
    for key, value in event.items():
        if key.lower() in SECRET_KEYS:
            event[key] = REDACTED
        elif isinstance(value, str):
            event[key] = SECRET_PATTERNS.sub(REDACTED, value)
    return event


def configure_logging(settings: Settings, process: str) -> None:
    """Send all logs of this process to one place, as JSON lines with `process`.

    Raises DiskFull (E009), and ConfigurationError for a DATA_DIR where no file can be.
    """
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.EventRenamer("message"),
            _name_process(process),
            redact,
            structlog.processors.JSONRenderer(),
        ],
    )
    handler = _handler(settings, process)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
        old.close()
    root.addHandler(handler)
    root.setLevel(settings.log_level.upper())
    for noisy in (
        "httpx",
        "httpcore",
        "hpack",
        "discord",
        "asyncio",
        "uvicorn.access",
        "openai",
        "psycopg.pool",
    ):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def _name_process(process: str) -> Any:
    def add(_logger: object, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event["process"] = process
        return event

    return add


def _handler(settings: Settings, process: str) -> logging.Handler:
    if settings.log_to_stdout:
        return logging.StreamHandler(sys.stdout)
    folder = settings.data_dir / "logs"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return logging.handlers.TimedRotatingFileHandler(
            folder / f"{process}.log",
            when="midnight",
            utc=True,
            backupCount=settings.log_retention_days,
            encoding="utf-8",
        )
    except OSError as error:
        problem = f"cannot write logs to {folder}: {error.strerror}"
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull(problem) from None
        raise ConfigurationError("DATA_DIR", problem) from None

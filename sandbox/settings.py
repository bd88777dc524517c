"""What the sandbox can be told: one frozen record, filled from the command line or by a test."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxSettings:
    """All numbers are Discord's documented ones unless their comment says otherwise."""

    host: str = "127.0.0.1"
    port: int = 8080
    data_dir: Path | None = None
    """Where the world is kept; None keeps it in memory only."""
    public_url: str | None = None
    """Address that clients are given for the gateway and for attachments; None: made from host and port."""

    # gateway (contract section 5)
    max_concurrency: int = 1
    shards: int = 1
    """What `GET /gateway/bot` recommends."""
    identify_limit: int = 1000
    """IDENTIFYs per 24 hours over all shards."""
    identify_window_seconds: float = 5.0
    heartbeat_interval_ms: int = 41_250
    session_keep_seconds: float = 180.0
    """How long a session waits to be resumed. Discord says "a few minutes"; three is our choice."""
    replay_events: int = 50_000
    """Events a session keeps for RESUME. Not documented; our choice."""
    payload_bytes: int = 4096
    payloads_per_minute: int = 120
    guilds_per_shard: int = 2500
    members_request_seconds: float = 30.0

    # REST (contract section 4)
    global_limit: int = 50
    limits_scale: float = 1.0
    """Multiplies every route's limit; 0 switches route limits off."""
    invalid_limit: int = 10_000
    invalid_window_seconds: float = 600.0
    user_agent: Literal["lenient", "strict"] = "lenient"
    """`strict` wants exactly the documented form; `lenient` refuses what Discord's edge is known to refuse.
    """

    @property
    def http_url(self) -> str:
        """Base address of REST and of the page, without a slash at the end."""
        return self.public_url or f"http://{_host(self.host)}:{self.port}"

    @property
    def gateway_url(self) -> str:
        """Address of the gateway's WebSocket."""
        return self.http_url.replace("http", "ws", 1) + "/gateway"


def _host(host: str) -> str:
    if host in {"0.0.0.0", "::", ""}:
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host

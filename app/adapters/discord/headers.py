"""What Discord's headers say, and what ours do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from app.adapters.discord.routes import Target
from app.adapters.discord.slots import Bucket, Outcome, Scope

REASON_MAX = 512
"""Characters of X-Audit-Log-Reason; we count them after encoding, the stricter reading (contract 4.3)."""

_WEBHOOK_GONE = frozenset({10015, 50027})


def audit_log_reason(reason: str) -> str:
    """Percent-encode a reason and cut it between characters so that it fits; blanks and line ends become one."""
    encoded, length = [], 0
    for character in " ".join(reason.split()):
        piece = quote(character, safe="")
        length += len(piece)
        if length > REASON_MAX:
            break
        encoded.append(piece)
    return "".join(encoded)


def bucket_of(headers: Mapping[str, str]) -> Bucket | None:
    """Read the bucket of an answer; None unless all four headers are there and make sense."""
    try:
        bucket = Bucket(
            headers["x-ratelimit-bucket"],
            int(headers["x-ratelimit-limit"]),
            int(headers["x-ratelimit-remaining"]),
            float(headers["x-ratelimit-reset-after"]),
        )
    except (KeyError, ValueError):
        return None
    sane = bucket.id and bucket.limit > 0 and 0 <= bucket.remaining <= bucket.limit
    return bucket if sane and 0 <= bucket.reset_after < float("inf") else None


def outcome_of(target: Target, status: int, headers: Mapping[str, str], body: Any) -> Outcome:
    """Say what an answer means for the limits. `body`: parsed JSON, or None."""
    data: Mapping[str, Any] = body if isinstance(body, Mapping) else {}
    scope = _scope(target, headers, data) if status == 429 else None
    code = data.get("code", 0)
    gone = code in _WEBHOOK_GONE or (status == 404 and code == 0)
    return Outcome(
        answered=status < 500 and status not in {401, 429},
        bucket=bucket_of(headers),
        scope=scope,
        retry_after=_retry_after(headers, data) if scope else 0.0,
        bad=status in {401, 403} or (status == 429 and scope is not Scope.SHARED),
        webhook_gone=gone and "webhook_token" in target.ids,
    )


def _scope(target: Target, headers: Mapping[str, str], data: Mapping[str, Any]) -> Scope:
    if "retry_after" not in data:
        return Scope.EDGE
    named = headers.get("x-ratelimit-scope", "")
    if named == Scope.SHARED:
        return Scope.SHARED
    everywhere = named == Scope.GLOBAL or data.get("global") is True or "x-ratelimit-global" in headers
    # Calls by a token in the path are no part of the global limit: theirs can only be their own.
    return Scope.GLOBAL if everywhere and not target.route.has_token else Scope.USER


def _retry_after(headers: Mapping[str, str], data: Mapping[str, Any]) -> float:
    """Seconds to wait; the body's number is exact and counts, the header is rounded (contract 4.2)."""
    for value in (data.get("retry_after"), headers.get("retry-after")):
        try:
            seconds = float(str(value))
        except ValueError:
            continue
        if 0 <= seconds < float("inf"):
            return seconds
    return 1.0

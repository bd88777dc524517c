"""Answers after a deferral: REST calls with the interaction's token, while it lives.

Discord has no idempotency key for these (contract 1.7), so follow-ups are sent once at most.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from app.adapters.discord.errors import ContentBlocked, NotFound
from app.adapters.discord.priority import Priority
from app.adapters.discord.rest import DiscordRest
from app.errors import AppError
from app.interactions.late import LateCall
from app.interactions.responses import DisabledComponents
from app.observability import metrics
from app.snowflake import created_ms

log = logging.getLogger(__name__)

TOKEN_SECONDS = 15 * 60
"""Life of an interaction token (contract 1.3)."""
TOKEN_MARGIN_SECONDS = 5
"""A call must have arrived by then."""


def token_seconds_left(interaction_id: int, now: float | None = None) -> float:
    """Return for how many seconds the interaction's token may still be used; `now` is Unix time."""
    born = created_ms(interaction_id) / 1000
    return born + TOKEN_SECONDS - TOKEN_MARGIN_SECONDS - (time.time() if now is None else now)


async def deliver(
    discord: DiscordRest,
    interaction_id: int,
    token: str,
    calls: tuple[LateCall, ...],
    blocked: Callable[[], Mapping[str, Any]],
    *,
    deadline: float = Priority.INTERACTION.deadline,
) -> str:
    """Make the calls in order and return how that ended: delivered, expired, gone, blocked or failed.

    `blocked` makes the body that tells that AutoMod refused the answer; `deadline` is the seconds that Discord
    may be unreachable for each call. Never raises but for cancellation.
    """
    outcome = "delivered"
    try:
        for call in calls:
            left = token_seconds_left(interaction_id)
            if left <= 0:
                outcome = "expired"
                break
            await _make(discord, token, call, min(left, deadline))
    except ContentBlocked:
        outcome = "blocked"
        await _tell_blocked(discord, interaction_id, token, blocked())
    except NotFound:
        outcome = "gone"
    except AppError as error:
        outcome = "failed"
        log.warning(
            "a late answer was not delivered",
            extra={"interaction": str(interaction_id), "error": error.for_operator()},
        )
    metrics.LATE_ANSWERS.labels(outcome).inc()
    return outcome


async def _make(discord: DiscordRest, token: str, call: LateCall, deadline: float) -> None:
    match call.method:
        case "edit":
            await discord.edit_original_response(token, call.body or {}, deadline=deadline)
        case "delete":
            await discord.delete_original_response(token, deadline=deadline)
        case "follow_up":
            await discord.create_followup(token, call.body or {}, deadline=deadline)


async def _tell_blocked(
    discord: DiscordRest, interaction_id: int, token: str, body: Mapping[str, Any]
) -> None:
    try:
        await discord.edit_original_response(token, body)
    except AppError as error:
        log.warning(
            "a blocked answer could not be replaced",
            extra={"interaction": str(interaction_id), "error": error.for_operator()},
        )


class LateAnswers:
    """Work of a web process that goes on after the answer: late answers, and dead components to disable."""

    def __init__(self, discord: DiscordRest) -> None:
        self._discord = discord
        self._tasks: set[asyncio.Task[None]] = set()

    def deliver(
        self,
        interaction_id: int,
        token: str,
        calls: tuple[LateCall, ...],
        blocked: Callable[[], Mapping[str, Any]],
    ) -> None:
        """Start to make the calls."""
        if calls:
            self._start(self._deliver(interaction_id, token, calls, blocked))

    def disable(self, dead: DisabledComponents) -> None:
        """Start to edit a message so that its dead components can no longer be pressed."""
        self._start(self._disable(dead))

    async def drain(self, seconds: float) -> int:
        """Wait for what is under way; cancel what is not done in time and return how much that was."""
        if not self._tasks:
            return 0
        _, late = await asyncio.wait(self._tasks, timeout=max(0.0, seconds))
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        return len(late)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _deliver(
        self,
        interaction_id: int,
        token: str,
        calls: tuple[LateCall, ...],
        blocked: Callable[[], Mapping[str, Any]],
    ) -> None:
        await deliver(self._discord, interaction_id, token, calls, blocked)

    async def _disable(self, dead: DisabledComponents) -> None:
        try:
            await self._discord.edit_message(
                dead.channel_id, dead.message_id, {"components": dead.components}, priority=Priority.LOGS
            )
        except AppError as error:
            log.info("dead components stay enabled", extra={"error": error.for_operator()})

"""One run of one job: call it, render its reply or its failure, bring that to Discord."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from app.adapters.discord.rest import DiscordRest
from app.errors import AppError, UserError
from app.interactions.declarations import Defer
from app.interactions.failures import incident_text
from app.interactions.late import late_calls
from app.interactions.replies import Reply
from app.interactions.responses import Renderer, Response
from app.jobs.declare import InteractionJob, Work
from app.jobs.late_answers import deliver, token_seconds_left
from app.jobs.progress import PROGRESS_SECONDS, Progress
from app.jobs.queue import QueuedJob
from app.locale.text import Text, t

log = logging.getLogger(__name__)

ANSWER_SECONDS = 15.0
"""Kept of the token's life for bringing the answer."""
DELIVERY_SECONDS = 60.0
"""How long Discord may be unreachable before an answer is given up."""


@dataclass(frozen=True, slots=True)
class RunTools:
    """What every run needs."""

    discord: DiscordRest
    renderer: Renderer
    progress_seconds: float = PROGRESS_SECONDS


class JobRun:
    """A run of a queued job."""

    def __init__(self, tools: RunTools, queued: QueuedJob) -> None:
        self._tools = tools
        self._queued = queued
        self._waiting = tools.renderer.waiting(queued.defer)
        self._progress = Progress(self._show, seconds=tools.progress_seconds)

    async def run(self, declared: InteractionJob, services: Mapping[str, Any]) -> str:
        """Run the job and bring its reply; return the outcome: done, refused, timed_out or failed."""
        queued = self._queued
        work = Work(
            queued.interaction_id,
            queued.audience.guild,
            queued.audience.user,
            queued.audience.locale,
            self._progress.report,
        )
        seconds = min(declared.seconds, token_seconds_left(queued.interaction_id) - ANSWER_SECONDS)
        outcome = "done"
        try:
            async with asyncio.timeout(seconds):
                reply = await declared.function(work, **queued.arguments, **services)
            answer = self._tools.renderer.message(reply, queued.audience)
        except UserError as error:
            outcome, answer = "refused", self._answer(error.text)
        except TimeoutError as error:
            outcome, answer = "timed_out", self._failure(error)
        except Exception as error:
            outcome, answer = "failed", self._failure(error)
        finally:
            await self._progress.finish()
        await self._deliver(answer)
        return outcome

    async def give_up(self, outcome: str) -> str:
        """Tell the person that the job will not be done; return the outcome."""
        incident = secrets.token_hex(4)
        log.error(
            "a job was given up",
            extra={"incident": incident, "job": self._queued.job, "outcome": outcome}
            | {"interaction": str(self._queued.interaction_id)},
        )
        await self._deliver(self._answer(incident_text(AppError(), incident)))
        return outcome

    async def _show(self, text: Text | str) -> None:
        """Edit the waiting answer."""
        if self._queued.defer is Defer.UPDATE:
            return
        left = token_seconds_left(self._queued.interaction_id)
        if left > 0:
            await self._tools.discord.edit_original_response(
                self._queued.token, self._body(Reply.private(text)), deadline=min(left, 10.0)
            )

    async def _deliver(self, answer: Response) -> None:
        calls = late_calls(self._waiting, answer, self._too_late)
        await deliver(
            self._tools.discord,
            self._queued.interaction_id,
            self._queued.token,
            calls,
            self._blocked,
            deadline=DELIVERY_SECONDS,
        )

    def _failure(self, error: Exception) -> Response:
        incident = secrets.token_hex(4)
        log.error(
            "a job failed",
            extra={
                "incident": incident,
                "job": self._queued.job,
                "interaction": str(self._queued.interaction_id),
                "code": error.code if isinstance(error, AppError) else None,
            },
            exc_info=error,
        )
        if isinstance(error, TimeoutError):
            return self._answer(
                t(
                    "That took too long, so I stopped. Whoever runs me finds it as incident `{incident}`.",
                    incident=incident,
                )
            )
        return self._answer(incident_text(error, incident))

    def _answer(self, text: Text) -> Response:
        return self._tools.renderer.message(
            Reply.private(text)
            if self._waiting.ephemeral or self._queued.defer is Defer.UPDATE
            else Reply.public(text),
            self._queued.audience,
        )

    def _too_late(self) -> Response:
        return self._answer(t("A form cannot be opened at the end of longer work. Please run it again."))

    def _blocked(self) -> Mapping[str, Any]:
        text = t("Discord blocked my answer: this server's AutoMod does not allow what it says.")
        return self._body(Reply.private(text))

    def _body(self, reply: Reply) -> dict[str, Any]:
        payload = orjson.loads(self._tools.renderer.message(reply, self._queued.audience).body)
        return {key: value for key, value in payload["data"].items() if key != "flags"}

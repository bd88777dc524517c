"""Declare what a worker finishes after the first answer.

    @job("privacy.export", seconds=300)
    async def export(work: Work, user: int, *, exports: Exports) -> Reply:
        await work.progress(t("Collecting messages …"))
        …
        return Reply.private(…)

    return Reply.defer(export.job(user=member.id))        # in a command's handler

The job is in Redis before Discord hears "thinking". A worker runs it once; if the worker dies it is run again by
another one, so an effect has to be claimed in its own transaction: `require_first(conn, work.interaction_id)`.
Arguments are what JSON can hold; the interaction's token never reaches the handler.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import orjson

from app.errors import AppError
from app.interactions.replies import JobCall, Reply
from app.locale.text import Text
from app.snowflake import GuildId, InteractionId, UserId

JobFunction = Callable[..., Awaitable[Reply]]

MOST_SECONDS = 14 * 60
"""A token lives for 15 minutes from the interaction (contract 1.3); the answer has to come within them."""


class WrongJob(AppError):
    """A job is declared or called wrongly."""


@dataclass(frozen=True, slots=True)
class Work:
    """What a job is run for. `progress` edits the waiting answer, at most every two seconds, the latest text wins.

    After a silent deferral (`update`) nothing is shown as progress: it would overwrite the component's message.
    """

    interaction_id: InteractionId
    guild: GuildId | None
    user: UserId
    locale: str
    progress: Callable[[Text | str], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class InteractionJob:
    """A declared job. Called like its function, so that a test needs no queue."""

    name: str
    function: JobFunction
    seconds: float
    parameters: frozenset[str]
    required: frozenset[str]

    def job(self, **arguments: Any) -> JobCall:
        """Return the call for `Reply.defer`. Raises WrongJob for unknown, missing or unencodable arguments."""
        unknown, missing = arguments.keys() - self.parameters, self.required - arguments.keys()
        if unknown or missing:
            raise WrongJob(
                f"job {self.name!r}: unknown arguments {sorted(unknown)}, missing {sorted(missing)}"
            )
        try:
            orjson.dumps(arguments)
        except TypeError as error:
            raise WrongJob(f"job {self.name!r}: JSON cannot hold its arguments: {error}") from None
        return JobCall(self.name, arguments)

    def __call__(self, *args: Any, **kwargs: Any) -> Awaitable[Reply]:
        """Call the function."""
        return self.function(*args, **kwargs)


def job(name: str, *, seconds: float = 300.0) -> Callable[[JobFunction], InteractionJob]:
    """Declare a job: `(work: Work, arguments…, *, services…) -> Reply`. Raises WrongJob.

    `name` is unique in the installation; `seconds` is how long it may run before the person is told that it failed.
    """
    if not 0 < seconds <= MOST_SECONDS:
        raise WrongJob(f"job {name!r}: seconds must be above 0 and at most {MOST_SECONDS}")

    def declare(function: JobFunction) -> InteractionJob:
        if not inspect.iscoroutinefunction(function):
            raise WrongJob(f"job {name!r}: must be an `async def`")
        parameters = [
            parameter
            for parameter in inspect.signature(function).parameters.values()
            if parameter.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
        ]
        if not parameters:
            raise WrongJob(f"job {name!r}: the first parameter must be the Work")
        arguments = parameters[1:]
        return InteractionJob(
            name,
            function,
            seconds,
            frozenset(parameter.name for parameter in arguments),
            frozenset(p.name for p in arguments if p.default is inspect.Parameter.empty),
        )

    return declare

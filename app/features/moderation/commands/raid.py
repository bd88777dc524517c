"""/raid: what is done when very many people join at once."""

from __future__ import annotations

from datetime import timedelta
from enum import Enum
from typing import Annotated, Any

from app.errors import UserError
from app.features.moderation.commands.duration import parse_duration
from app.features.moderation.raid.alarm import RaidAlarm, Status
from app.features.moderation.raid.settings import LEVELS, RaidSettings
from app.interactions.context import Call
from app.interactions.declare import group
from app.interactions.embeds import Embed, Field
from app.interactions.options import Option, label_of
from app.interactions.permissions import Level
from app.interactions.replies import Reply
from app.locale.text import t

LONGEST = timedelta(hours=23)
"""Discord pauses invites for 24 hours at most (contract section 4.4)."""

raid = group("raid", "What is done when very many people join at once", permission=Level.MODERATOR)


class WaveAction(Enum):
    """What happens to everybody of the wave."""

    NONE = "only watch"
    TIMEOUT = "timeout"
    KICK = "kick"
    BAN = "ban"


@raid.slash("status", "Show the level and the settings")
async def status(call: Call, *, alarm: RaidAlarm) -> Reply:
    """Show how things are."""
    return Reply.private(embeds=[_embed(await alarm.status(call.guild))])


@raid.slash("on", "Lock down: everybody who joins is acted on")
async def on(
    call: Call,
    duration: Annotated[str, Option("For how long: 30m, 2h", max_length=50)] = "30m",
    *,
    alarm: RaidAlarm,
) -> Reply:
    """Start a lockdown by hand."""
    lasting = parse_duration(duration, longest=LONGEST)
    started = await alarm.lock_down(call.guild, lasting, call.user.id)
    return Reply.private(
        t("The server is locked down until {time}.", time=f"<t:{int(started.calm_at.timestamp())}:t>")
    )


@raid.slash("off", "End a raid alarm")
async def off(call: Call, *, alarm: RaidAlarm) -> Reply:
    """End it by hand."""
    if not await alarm.stand_down(call.guild, call.user.id):
        return Reply.private(t("There is no raid alarm."))
    return Reply.private(t("The alarm is over. Invites are open again in a moment."))


@raid.slash("settings", "Say what counts as a raid and what is done", permission=Level.ADMIN)
async def settings(
    call: Call,
    enabled: Annotated[bool, Option("Watch the joins")] = True,
    joins: Annotated[int | None, Option("So many joins …", min_value=2, max_value=1000)] = None,
    seconds: Annotated[int | None, Option("… in so many seconds", min_value=5, max_value=3600)] = None,
    action: Annotated[WaveAction | None, Option("What happens to the whole wave")] = None,
    timeout: Annotated[str | None, Option("How long they are timed out: 1d", max_length=50)] = None,
    pause_invites: Annotated[bool | None, Option("Pause invites in a lockdown")] = None,
    calm: Annotated[str | None, Option("Time until the level goes down: 10m", max_length=50)] = None,
    *,
    alarm: RaidAlarm,
) -> Reply:
    """Change what is given and show everything."""
    given = {"joins": joins, "seconds": seconds, "pause_invites": pause_invites}
    changed: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    changed["enabled"] = enabled
    if action is not None:
        changed["sanction"] = action.name.lower()
    if timeout is not None:
        changed["timeout_minutes"] = _minutes(timeout, timedelta(days=28))
    if calm is not None:
        changed["calm_minutes"] = _minutes(calm, timedelta(days=1))
    await alarm.configure(call.guild, call.user.id, **changed)
    return Reply.private(t("Changed. Now it is so:"), embeds=[_embed(await alarm.status(call.guild))])


def _minutes(text: str, longest: timedelta) -> int:
    minutes = int(parse_duration(text, longest=longest).total_seconds() // 60)
    if minutes < 1:
        raise UserError(t("At least a minute is needed."))
    return minutes


def _embed(found: Status) -> Embed:
    fields = [Field(t("Level"), LEVELS[found.level], inline=True)]
    if found.raid is not None and found.level:
        fields.append(Field(t("People in the wave"), str(found.members), inline=True))
        fields.append(Field(t("Goes down"), f"<t:{int(found.raid.calm_at.timestamp())}:R>", inline=True))
        fields.append(
            Field(t("Invites paused"), t("yes") if found.raid.invites_paused else t("no"), inline=True)
        )
    return Embed(title=t("Raid alarm"), fields=(*fields, *_settings(found.settings)))


def _settings(chosen: RaidSettings) -> list[Field]:
    if not chosen.enabled:
        return [Field(t("Watching"), t("Off. `/raid settings` switches it on."))]
    action = label_of(WaveAction[chosen.sanction.upper()])
    return [
        Field(
            t("Watching"),
            t("more than {joins} joins in {seconds} s", joins=chosen.joins, seconds=chosen.seconds),
        ),
        Field(t("The wave gets"), action, inline=True),
        Field(t("Level goes down after"), t("{count} min", count=chosen.calm_minutes), inline=True),
    ]

"""What happens when somebody joins, and the scheduled work of raids."""

from __future__ import annotations

from app.events.members import MemberJoined
from app.features.moderation.raid.alarm import CALM_KIND, WAVE_KIND, RaidAlarm, moment
from app.features.moderation.raid.wave import RaidWave
from app.snowflake import GuildId, UserId
from app.streams.declare import consumes, scheduled
from app.streams.retry import Retry
from app.streams.store import Scheduled


@consumes(MemberJoined, group="moderation", retry=Retry(attempts=5, first=1.0, cap=60.0), parallel=8)
async def count_join(event: MemberJoined, *, alarm: RaidAlarm) -> None:
    """Count a join; bots are let in by people, so they are no raid."""
    if event.user.bot:
        return
    joined_at = moment(event.member.joined_at, event.envelope.received_ms)
    await alarm.joined(event.guild_id, UserId(event.user.id), joined_at)


@scheduled(WAVE_KIND, retry=Retry(attempts=20, first=5.0, cap=300.0), seconds=600.0)
async def act_on_wave(job: Scheduled, *, wave: RaidWave) -> None:
    """Act on those who joined in the burst."""
    await wave.act(GuildId(int(job.key)))


@scheduled(CALM_KIND, retry=Retry(attempts=20, first=5.0, cap=300.0))
async def step_down(job: Scheduled, *, alarm: RaidAlarm) -> None:
    """Go down by a level."""
    await alarm.calm(GuildId(int(job.key)))

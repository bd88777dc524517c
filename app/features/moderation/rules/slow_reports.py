"""What comes of slow rules: the server is told, and one that would hold up all servers is switched off."""

from __future__ import annotations

from app.adapters.postgres.pool import Pool, transaction
from app.features.moderation.notices import Notices
from app.features.moderation.rules.editing import RuleEditing
from app.features.moderation.rules.slow import KIND
from app.features.moderation.rules.store import find_rule
from app.features.moderation.settings import FEATURE, ModerationSettings
from app.locale.text import t
from app.snowflake import GuildId
from app.streams.declare import scheduled
from app.streams.retry import Retry
from app.streams.store import Scheduled
from app.tenancy.guild_settings import GuildSettings


class SlowRuleReports:
    """Switches a hopeless rule off and tells the server's log channel."""

    def __init__(self, pool: Pool, editing: RuleEditing, settings: GuildSettings, notices: Notices) -> None:
        self._pool = pool
        self._editing = editing
        self._settings = settings
        self._notices = notices

    async def report(self, guild: GuildId, name: str, version: int, ms: int, *, off: bool) -> None:
        """Do what is said of that version of a rule; of a newer one nothing is known."""
        async with transaction(self._pool) as conn:
            rule = await find_rule(conn, guild, name)
        if rule is None or rule.version != version or not rule.enabled:
            return
        if off:
            await self._editing.change(guild, name, by=None, enabled=False)
            text = t(
                "The rule “{name}” is switched off: it takes {count} ms for one message, and all others wait "
                "meanwhile. Make it simpler, then switch it on with `/rule switch`.",
                name=name,
                count=ms,
            )
        else:
            text = t(
                "The rule “{name}” is slow: it takes {count} ms for one message. Make it simpler.",
                name=name,
                count=ms,
            )
        settings = await self._settings.get(guild, FEATURE, ModerationSettings)
        await self._notices.announce(guild, text, settings, key=f"slow:{rule.rule_id}:{version}:{off}")


@scheduled(KIND, retry=Retry(attempts=5, first=5.0, cap=300.0))
async def report_slow_rule(job: Scheduled, *, reports: SlowRuleReports) -> None:
    """Report a slow rule, or switch it off."""
    data = job.payload
    await reports.report(
        GuildId(int(data["guild"])),
        data["name"],
        int(data["version"]),
        int(data["ms"]),
        off=bool(data["off"]),
    )

"""Rules on names: nicknames and display names of members, names of threads.

What policy would delete is a name that is taken away: the nickname is reset (a bad account name gets a neutral
nickname), a new thread is deleted, a renamed one gets a neutral name. The person is warned, or timed out and so on
if policy says so. Names come back, so they are taken away every time, while the verdict is made once per name.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from zlib import crc32

from app.adapters.discord.errors import Forbidden, NotFound
from app.adapters.discord.priority import Priority
from app.adapters.discord.rest import DiscordRest
from app.adapters.postgres.pool import Pool, transaction
from app.events.members import MemberJoined, MemberUpdated
from app.events.threads import ThreadCreated, ThreadUpdated
from app.features.moderation.authority import Authority, Inquiry, protection_of
from app.features.moderation.carry_out import CarryOut
from app.features.moderation.cases import store as cases
from app.features.moderation.models import Finding, Sanction, Subject
from app.features.moderation.policy import weigh
from app.features.moderation.rules.engine import Rules
from app.features.moderation.settings import FEATURE, ModerationSettings
from app.features.moderation.text.view import TextView
from app.features.moderation.verdicts import Judged, Verdicts
from app.interactions.permissions import Permission
from app.snowflake import ChannelId, GuildId, RoleId, UserId
from app.streams.declare import consumes
from app.streams.retry import Retry, TryLater
from app.tenancy.guild_settings import GuildSettings

log = logging.getLogger(__name__)

NEUTRAL_THREAD = "thread"
NOWHERE = ChannelId(0)
"""A nickname stands in no channel."""
REASON = "Automatic: the name breaks a rule"


@dataclass(frozen=True, slots=True)
class Named:
    """A name and whose it is. `place` tells the names of one person's threads apart."""

    guild: GuildId
    user: UserId
    text: str
    channel: ChannelId
    place: int = 0
    roles: tuple[RoleId, ...] | None = None


class NameCheck:
    """Judges names and takes bad ones away."""

    def __init__(
        self,
        pool: Pool,
        discord: DiscordRest,
        rules: Rules,
        verdicts: Verdicts,
        carry_out: CarryOut,
        authority: Authority,
        settings: GuildSettings,
        clock: Callable[[], datetime],
    ) -> None:
        self._pool = pool
        self._discord = discord
        self._rules = rules
        self._verdicts = verdicts
        self._carry_out = carry_out
        self._authority = authority
        self._settings = settings
        self._clock = clock

    async def member(self, event: MemberJoined | MemberUpdated) -> bool:
        """Judge how a member is called; return whether a name was taken away. Raises TryLater."""
        member, user = event.member, event.user
        if user.bot:
            return False
        text = member.nick or user.global_name or user.username
        named = Named(event.guild_id, UserId(user.id), text, NOWHERE, roles=member.roles)
        inquiry = await self._judge(named)
        if inquiry is None or not _may_rename(inquiry):
            return False
        nick = None if member.nick else f"Member {user.id % 10_000:04}"
        try:
            await self._discord.modify_guild_member(
                event.guild_id, user.id, {"nick": nick}, reason=REASON, priority=Priority.MODERATION
            )
        except NotFound:
            return False
        except Forbidden as error:
            self._refused(event.guild_id, error)
            return False
        return True

    async def thread(self, event: ThreadCreated | ThreadUpdated) -> bool:
        """Judge the name of a thread; return whether it was taken away. Raises TryLater."""
        if event.owner_id is None or event.owner_id == self._discord.application_id:
            return False
        named = Named(
            event.guild_id, event.owner_id, event.name, event.parent_id or event.thread_id, event.thread_id
        )
        inquiry = await self._judge(named)
        if inquiry is None or inquiry.standings is None:
            return False
        if Permission.MANAGE_THREADS not in inquiry.standings[1].permissions:
            return False
        try:
            if isinstance(event, ThreadCreated):
                await self._discord.delete_channel(
                    event.thread_id, reason=REASON, priority=Priority.MODERATION
                )
            else:
                await self._discord.modify_channel(
                    event.thread_id, {"name": NEUTRAL_THREAD}, reason=REASON, priority=Priority.MODERATION
                )
        except NotFound:
            return False
        except Forbidden as error:
            self._refused(event.guild_id, error)
            return False
        return True

    async def _judge(self, named: Named) -> Inquiry | None:
        """Judge and decide; return who is who if the name has to go."""
        settings = await self._settings.get(named.guild, FEATURE, ModerationSettings)
        if named.channel in settings.exempt_channels or set(named.roles or ()) & set(settings.exempt_roles):
            return None
        # Most names are fine: look nobody up for them.
        now = self._clock()
        found = await self._rules.judge_text(
            named.guild, named.text, now, roles=named.roles or (), channels=(named.channel,)
        )
        if not found:
            return None
        inquiry = await self._authority.inquire(
            named.guild, named.user, by=None, protection=protection_of(settings), roles=named.roles
        )
        if inquiry.standings is None:
            raise TryLater("the owner of a name could not be looked up", after=10.0)
        roles = tuple(inquiry.standings[0].roles)
        if named.roles is None:
            if set(roles) & set(settings.exempt_roles):
                return None
            found = await self._rules.judge_text(
                named.guild, named.text, now, roles=roles, channels=(named.channel,)
            )
        findings = [_as_name(finding, settings) for finding in found]
        await self._decide(replace(named, roles=roles), findings, settings)
        outcome = weigh(findings, settings)
        if outcome is None or outcome.sanction in {Sanction.NONE, Sanction.REVIEW}:
            return None
        return inquiry if inquiry.refusal(Sanction.WARN) is None else None

    async def _decide(self, named: Named, findings: Sequence[Finding], settings: ModerationSettings) -> None:
        subject = Subject(
            guild_id=named.guild,
            channel_id=named.channel,
            user_id=named.user,
            version=crc32(f"{named.place}:{named.text}".encode()) or 1,
            roles=named.roles or (),
        )
        judged = Judged(
            subject=subject,
            text=named.text,
            normalised=TextView.of(named.text).plain.text,
            findings=findings,
            rules=[{"rule_id": f.rule_id, "version": f.rule_version} for f in findings],
            deletable=False,
        )
        verdict = await self._verdicts.decide(judged, settings)
        if verdict is not None:
            if verdict.case is not None:
                await self._carry_out.case(verdict.case, allowed=verdict.refusal is None)
            return
        async with transaction(self._pool) as conn:
            case = await cases.case_of_action(conn, named.guild, subject.key)
        if case is not None and case.state == "recorded":
            await self._carry_out.case(case)

    @staticmethod
    def _refused(guild: GuildId, error: Forbidden) -> None:
        log.warning(
            "a name could not be taken away (E006)",
            extra={"guild_id": guild, "discord_code": error.discord_code},
        )


def _as_name(finding: Finding, settings: ModerationSettings) -> Finding:
    """Deleting is what happens to the name; the person is warned."""
    wanted = finding.sanction or settings.sanctions.get(finding.severity, Sanction.NONE)
    return replace(finding, sanction=Sanction.WARN) if wanted is Sanction.DELETE else finding


def _may_rename(inquiry: Inquiry) -> bool:
    """Return whether our permission and role reach the member (contract section 6.3)."""
    if inquiry.standings is None:
        return False
    target, ours, _ = inquiry.standings
    return Permission.MANAGE_NICKNAMES in ours.permissions and ours.outranks(target)


@consumes(
    MemberJoined, MemberUpdated, group="moderation", retry=Retry(attempts=5, first=2.0, cap=60.0), parallel=8
)
async def check_member(event: MemberJoined | MemberUpdated, *, names: NameCheck) -> None:
    """Judge a member's name."""
    await names.member(event)


@consumes(
    ThreadCreated, ThreadUpdated, group="moderation", retry=Retry(attempts=5, first=2.0, cap=60.0), parallel=8
)
async def check_thread(event: ThreadCreated | ThreadUpdated, *, names: NameCheck) -> None:
    """Judge a thread's name."""
    if isinstance(event, ThreadCreated) and not event.newly_created:
        return
    await names.thread(event)

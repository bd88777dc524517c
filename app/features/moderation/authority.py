r"""May this sanction be carried out on this person? The only place that decides it; commands, buttons and automatics
all ask here, and every doubt means no.

| target \\ actor         | automatic | moderator by command or button                      |
|-------------------------|-----------|-----------------------------------------------------|
| ourselves, the actor    | no        | no                                                  |
| owner                   | no        | no                                                  |
| administrator           | no        | no (Discord refuses timeouts; the rest we refuse)   |
| moderator               | no        | only if the actor's highest role is above           |
| equal or higher role    | as member | no                                                  |
| another bot             | by setting| if the actor's role is above                        |
| our role not above      | no        | no                                                  |
| lookup failed or slow   | no, review| no                                                  |
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from enum import StrEnum

from app.adapters.discord.errors import DiscordRefused
from app.errors import AppError
from app.features.moderation.directory import Directory, Standing
from app.features.moderation.models import Sanction, Subject
from app.features.moderation.settings import ModerationSettings
from app.interactions.permissions import Permission
from app.locale.text import Text, t
from app.snowflake import GuildId, RoleId, UserId

log = logging.getLogger(__name__)

MODERATOR_PERMISSIONS = (
    Permission.MODERATE_MEMBERS
    | Permission.KICK_MEMBERS
    | Permission.BAN_MEMBERS
    | Permission.MANAGE_MESSAGES
    | Permission.MANAGE_GUILD
)
"""Who holds one of these, moderates."""

NEEDED = {
    Sanction.NONE: Permission(0),
    Sanction.REVIEW: Permission(0),
    Sanction.NOTE: Permission.MODERATE_MEMBERS,
    Sanction.UNTIMEOUT: Permission.MODERATE_MEMBERS,
    Sanction.UNBAN: Permission.BAN_MEMBERS,
    Sanction.UNDO: Permission.MODERATE_MEMBERS,
    Sanction.WARN: Permission.MODERATE_MEMBERS,
    Sanction.PURGE: Permission.MANAGE_MESSAGES,
    Sanction.DELETE: Permission.MANAGE_MESSAGES,
    Sanction.TIMEOUT: Permission.MODERATE_MEMBERS,
    Sanction.KICK: Permission.KICK_MEMBERS,
    Sanction.BAN: Permission.BAN_MEMBERS,
}
"""Discord's permission for each sanction (contract section 4.4): the actor and, except for WARN, we need it."""


class Refusal(StrEnum):
    """Why not."""

    OURSELVES = "ourselves"
    SELF = "self"
    OWNER = "owner"
    ADMINISTRATOR = "administrator"
    MODERATOR = "moderator"
    HIGHER_ROLE = "higher_role"
    BOT = "bot"
    ACTOR_LACKS_PERMISSION = "actor_lacks_permission"
    WE_LACK_PERMISSION = "we_lack_permission"
    WE_RANK_TOO_LOW = "we_rank_too_low"
    NOT_A_MEMBER = "not_a_member"
    UNKNOWN = "unknown"

    @property
    def text(self) -> Text:
        """What a moderator reads."""
        return _TEXTS[self]


_TEXTS = {
    Refusal.OURSELVES: t("I do not act against myself."),
    Refusal.SELF: t("You cannot do that to yourself."),
    Refusal.OWNER: t("The owner of the server cannot be moderated."),
    Refusal.ADMINISTRATOR: t("Administrators cannot be moderated. Take the role away first."),
    Refusal.MODERATOR: t("Automatic moderation leaves moderators alone."),
    Refusal.HIGHER_ROLE: t("Their highest role is not below yours."),
    Refusal.BOT: t("Automatic moderation leaves bots alone in this server."),
    Refusal.ACTOR_LACKS_PERMISSION: t("You lack the Discord permission for that."),
    Refusal.WE_LACK_PERMISSION: t("I lack the Discord permission for that. Grant it to my role. (E006)"),
    Refusal.WE_RANK_TOO_LOW: t("My highest role is not above theirs. Move my role up. (E006)"),
    Refusal.NOT_A_MEMBER: t("They are not a member of this server."),
    Refusal.UNKNOWN: t("I could not look up who they are, so nothing was done. Try again."),
}


def explained(problem: str) -> Text:
    """Return what a moderator reads of a case's problem: a refusal's text, anything else as it is."""
    if problem in Refusal.__members__.values():
        return Refusal(problem).text
    return Text("{problem}", params={"problem": problem})


@dataclass(frozen=True, slots=True)
class Protection:
    """A guild's own choices: bots are left alone by automatics unless `moderate_bots`; roles that always protect."""

    moderate_bots: bool = False
    moderator_roles: frozenset[RoleId] = frozenset()


def is_moderator(standing: Standing, protection: Protection) -> bool:
    """Return whether a member moderates, by permission or by a role that the guild named."""
    return bool(standing.permissions & MODERATOR_PERMISSIONS) or bool(
        standing.roles & protection.moderator_roles
    )


def judge(
    sanction: Sanction,
    target: Standing,
    ours: Standing,
    actor: Standing | None,
    protection: Protection,
) -> Refusal | None:
    """Return why the sanction must not happen, or None. `actor` is None for automatics. Pure."""
    if target.user_id == ours.user_id:
        return Refusal.OURSELVES
    if actor is not None and target.user_id == actor.user_id:
        return Refusal.SELF
    if target.owner:
        return Refusal.OWNER
    if Permission.ADMINISTRATOR in target.permissions:
        return Refusal.ADMINISTRATOR
    needed = NEEDED[sanction]
    if actor is None:
        if is_moderator(target, protection):
            return Refusal.MODERATOR
        if target.bot and not protection.moderate_bots:
            return Refusal.BOT
    else:
        by_role = bool(actor.roles & protection.moderator_roles)
        if needed not in actor.permissions and not by_role:
            return Refusal.ACTOR_LACKS_PERMISSION
        if not actor.outranks(target):
            return Refusal.HIGHER_ROLE
    return _can_we(sanction, needed, target, ours)


def _can_we(sanction: Sanction, needed: Permission, target: Standing, ours: Standing) -> Refusal | None:
    if sanction in {Sanction.NONE, Sanction.REVIEW, Sanction.WARN, Sanction.NOTE, Sanction.UNDO}:
        return None
    if needed not in ours.permissions:
        return Refusal.WE_LACK_PERMISSION
    if sanction is Sanction.DELETE:
        return None  # deleting somebody's message needs no rank
    if not target.member and sanction not in {Sanction.BAN, Sanction.UNBAN}:
        return Refusal.NOT_A_MEMBER
    # Documented for kick and ban, not for timeouts (contract section 4.4): the same is applied.
    return None if ours.outranks(target) else Refusal.WE_RANK_TOO_LOW


@dataclass(frozen=True, slots=True)
class Inquiry:
    """Who target, bot and actor are, looked up once; `standings` None: the lookup failed, so nothing is allowed."""

    standings: tuple[Standing, Standing, Standing | None] | None
    protection: Protection

    def refusal(self, sanction: Sanction) -> Refusal | None:
        """Return why the sanction must not happen, or None."""
        if self.standings is None:
            return Refusal.UNKNOWN
        target, ours, actor = self.standings
        return judge(sanction, target, ours, actor, self.protection)


class Authority:
    """Looks up who they are, then judges. Fails closed: what cannot be looked up is refused as UNKNOWN."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    async def inquire(
        self,
        guild: GuildId,
        target: UserId,
        *,
        by: UserId | None,
        protection: Protection,
        roles: tuple[RoleId, ...] | None = None,
        bot: bool | None = None,
    ) -> Inquiry:
        """Look everybody up. `by` None: automatic. `roles` and `bot` of the target if an event told them just now."""
        try:
            standing = await self._directory.standing(guild, target, roles=roles)
            ours = await self._directory.ours(guild)
            actor = None if by is None else await self._directory.standing(guild, by)
        except (AppError, DiscordRefused, OSError, TimeoutError, KeyError, ValueError, TypeError) as error:
            log.warning("authority lookup failed", extra={"guild_id": guild, "error": type(error).__name__})
            return Inquiry(None, protection)
        if bot is not None:
            standing = replace(standing, bot=bot)
        return Inquiry((standing, ours, actor), protection)

    async def check(
        self, guild: GuildId, target: UserId, sanction: Sanction, *, by: UserId | None, protection: Protection
    ) -> Refusal | None:
        """Look everybody up and return why not, or None."""
        return (await self.inquire(guild, target, by=by, protection=protection)).refusal(sanction)

    async def inquire_subject(self, subject: Subject, protection: Protection) -> Inquiry:
        """Look up for an automatic sanction, with the roles that the event carried."""
        return await self.inquire(
            subject.guild_id,
            subject.user_id,
            by=None,
            protection=protection,
            roles=subject.roles,
            bot=subject.bot,
        )


def protection_of(settings: ModerationSettings) -> Protection:
    """Return the guild's choices as authority wants them."""
    return Protection(
        moderate_bots=settings.moderate_bots,
        moderator_roles=frozenset(RoleId(role) for role in settings.moderator_roles),
    )

"""/warn /timeout /untimeout /kick /ban /unban /note: orders that become cases."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from app.features.moderation.cases.moderators import MAX_TIMEOUT, Moderators
from app.features.moderation.cases.store import Case
from app.features.moderation.commands.duration import parse_duration
from app.features.moderation.models import Sanction
from app.interactions.context import Call
from app.interactions.declare import slash
from app.interactions.options import Option
from app.interactions.payloads import Member, User
from app.interactions.permissions import Level, Permission
from app.interactions.replies import Reply
from app.locale.text import Text, t

MAX_BAN = timedelta(days=366)
Reason = Annotated[str, Option("Why; the member and the audit log get to read it", max_length=400)]
OptionalReason = Annotated[
    str | None, Option("Why; the member and the audit log get to read it", max_length=400)
]


def done(text: Text, case: Case) -> Reply:
    """Answer the moderator, and say so when the member could not be told."""
    if case.notified is False:
        return Reply.private(t("{done} They could not be told: they take no direct messages.", done=text))
    return Reply.private(text)


def number(case: Case) -> str:
    """Return the case number as people write it, without thousands separators."""
    return str(case.number)


@slash("warn", "Warn a member", permission=Level.MODERATOR)
async def warn(
    call: Call,
    member: Annotated[Member, Option("Who is warned")],
    reason: Reason,
    *,
    moderators: Moderators,
) -> Reply:
    """Record a warning and tell the member."""
    case = await moderators.order(
        call.guild,
        member.id,
        Sanction.WARN,
        by=call.user.id,
        reason=reason,
        action_key=f"i:{call.interaction.id}",
    )
    return done(t("{member} was warned: case {number}.", member=member.mention, number=number(case)), case)


@slash("timeout", "Keep a member from writing for a while", permission=Level.MODERATOR)
async def timeout(
    call: Call,
    member: Annotated[Member, Option("Who is timed out")],
    duration: Annotated[str, Option("For how long: 30m, 2h, 1d12h, at most 28 days", max_length=50)],
    reason: OptionalReason = None,
    *,
    moderators: Moderators,
) -> Reply:
    """Time a member out; Discord ends it by itself."""
    lasting = parse_duration(duration, longest=MAX_TIMEOUT)
    case = await moderators.order(
        call.guild,
        member.id,
        Sanction.TIMEOUT,
        by=call.user.id,
        reason=reason or "",
        action_key=f"i:{call.interaction.id}",
        lasting=lasting,
    )
    assert case.expires_at is not None
    until = f"<t:{int(case.expires_at.timestamp())}:R>"
    text = t(
        "{member} is timed out, until {time}: case {number}.",
        member=member.mention,
        time=until,
        number=number(case),
    )
    return done(text, case)


@slash("untimeout", "Let a member write again", permission=Level.MODERATOR)
async def untimeout(
    call: Call,
    member: Annotated[Member, Option("Whose timeout is lifted")],
    reason: OptionalReason = None,
    *,
    moderators: Moderators,
) -> Reply:
    """Lift a timeout."""
    case = await moderators.order(
        call.guild,
        member.id,
        Sanction.UNTIMEOUT,
        by=call.user.id,
        reason=reason or "",
        action_key=f"i:{call.interaction.id}",
    )
    return done(
        t("{member} may write again: case {number}.", member=member.mention, number=number(case)), case
    )


@slash("kick", "Remove a member; they may come back", permission=Permission.KICK_MEMBERS)
async def kick(
    call: Call,
    member: Annotated[Member, Option("Who is removed")],
    reason: OptionalReason = None,
    *,
    moderators: Moderators,
) -> Reply:
    """Kick a member."""
    case = await moderators.order(
        call.guild,
        member.id,
        Sanction.KICK,
        by=call.user.id,
        reason=reason or "",
        action_key=f"i:{call.interaction.id}",
    )
    return done(t("{member} was removed: case {number}.", member=member.mention, number=number(case)), case)


@slash("ban", "Ban somebody, member or not", permission=Permission.BAN_MEMBERS)
async def ban(
    call: Call,
    user: Annotated[User, Option("Who is banned")],
    reason: OptionalReason = None,
    duration: Annotated[
        str | None, Option("For how long: 12h, 7d, 4w; empty: for ever", max_length=50)
    ] = None,
    delete_days: Annotated[
        int, Option("Delete their messages of the last days", min_value=0, max_value=7)
    ] = 0,
    *,
    moderators: Moderators,
) -> Reply:
    """Ban a user, for ever or for a while."""
    case = await moderators.order(
        call.guild,
        user.id,
        Sanction.BAN,
        by=call.user.id,
        reason=reason or "",
        action_key=f"i:{call.interaction.id}",
        lasting=None if duration is None else parse_duration(duration, longest=MAX_BAN),
        delete_seconds=delete_days * 86_400,
    )
    if case.expires_at is None:
        return done(t("{member} was banned: case {number}.", member=user.mention, number=number(case)), case)
    until = f"<t:{int(case.expires_at.timestamp())}:R>"
    text = t(
        "{member} is banned, until {time}: case {number}.",
        member=user.mention,
        time=until,
        number=number(case),
    )
    return done(text, case)


@slash("unban", "Lift somebody's ban", permission=Permission.BAN_MEMBERS)
async def unban(
    call: Call,
    user: Annotated[User, Option("Whose ban is lifted; an id works too")],
    reason: OptionalReason = None,
    *,
    moderators: Moderators,
) -> Reply:
    """Lift a ban."""
    case = await moderators.order(
        call.guild,
        user.id,
        Sanction.UNBAN,
        by=call.user.id,
        reason=reason or "",
        action_key=f"i:{call.interaction.id}",
    )
    return done(t("{member} may come back: case {number}.", member=user.mention, number=number(case)), case)


@slash(
    "note",
    "Write something down about a member; they hear nothing of it",
    permission=Level.MODERATOR,
)
async def note(
    call: Call,
    user: Annotated[User, Option("Whom it is about")],
    text: Annotated[str, Option("What moderators should know", max_length=400)],
    *,
    moderators: Moderators,
) -> Reply:
    """Record a note."""
    case = await moderators.order(
        call.guild,
        user.id,
        Sanction.NOTE,
        by=call.user.id,
        reason=text,
        action_key=f"i:{call.interaction.id}",
    )
    return Reply.private(t("Noted: case {number}.", number=number(case)))

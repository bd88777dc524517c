"""/case view, edit and undo, /history: what is on record."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from app.errors import UserError
from app.features.moderation.authority import explained
from app.features.moderation.cases.lifting import Lifting
from app.features.moderation.cases.moderators import Moderators
from app.features.moderation.cases.store import Case
from app.features.moderation.notices import LOGGED, refused
from app.interactions.components import Button
from app.interactions.context import Call, Click
from app.interactions.custom_id import Bound
from app.interactions.declare import button, group, slash, user_command
from app.interactions.embeds import Embed, Field
from app.interactions.options import Option
from app.interactions.payloads import Member, User
from app.interactions.permissions import Level
from app.interactions.replies import Reply
from app.locale.text import Text, joined, t, tn
from app.snowflake import UserId

PAGE = 8
MAX_NUMBER = 2**31 - 1

case = group("case", "Look at a case, change its reason, or undo it", permission=Level.MODERATOR)


@case.slash("view", "Show a case")
async def view(
    call: Call,
    number: Annotated[int, Option("Its number", min_value=1, max_value=MAX_NUMBER)],
    *,
    moderators: Moderators,
) -> Reply:
    """Show one case."""
    return Reply.private(embeds=[embed_of(await moderators.find(call.guild, number))])


@case.slash("edit", "Change the reason of a case; what it was is kept")
async def edit(
    call: Call,
    number: Annotated[int, Option("Its number", min_value=1, max_value=MAX_NUMBER)],
    reason: Annotated[str, Option("The new reason", max_length=400)],
    *,
    moderators: Moderators,
) -> Reply:
    """Change a case's reason."""
    changed = await moderators.edit(call.guild, number, reason, call.user.id)
    return Reply.private(t("Case {number} was changed.", number=str(number)), embeds=[embed_of(changed)])


@case.slash("undo", "Lift what a case did; its strike does not count any more")
async def undo(
    call: Call,
    number: Annotated[int, Option("Its number", min_value=1, max_value=MAX_NUMBER)],
    *,
    lifting: Lifting,
) -> Reply:
    """Lift a case, and write that down as a case."""
    lifted = await lifting.undo(call.guild, number, by=call.user.id)
    if lifted.state == "failed":
        raise UserError(refused(lifted))
    return Reply.private(
        t("Case {old} is undone: case {number}.", old=str(number), number=str(lifted.number))
    )


@slash("history", "Show somebody's record", permission=Level.MODERATOR)
async def history(
    call: Call, user: Annotated[User, Option("Whose record")], *, moderators: Moderators
) -> Reply:
    """Show a member's cases, newest first."""
    return await _first_page(call, user.id, moderators)


@user_command("History", permission=Level.MODERATOR)
async def history_of(call: Call, target: Member | User, *, moderators: Moderators) -> Reply:
    """Show the same from the menu of a user."""
    return await _first_page(call, target.id, moderators)


async def _first_page(call: Call, user: UserId, moderators: Moderators) -> Reply:
    found, strikes = await moderators.history(call.guild, user, limit=PAGE + 1)
    content, buttons = _page(user, found, strikes)
    return Reply.private(content[0], *buttons, embeds=content[1])


@button("mod.history", ttl=timedelta(minutes=30), bound=Bound.USER)
async def older(click: Click, user: UserId, before: int, *, moderators: Moderators) -> Reply:
    """Turn the page."""
    found, strikes = await moderators.history(click.guild, user, before=before, limit=PAGE + 1)
    content, buttons = _page(user, found, strikes)
    return Reply.update(content[0], *buttons, embeds=content[1])


def _page(user: UserId, found: list[Case], strikes: int) -> tuple[tuple[Text, list[Embed]], list[Button]]:
    shown = found[:PAGE]
    if not shown:
        return (t("Nothing is on record about {member}.", member=f"<@{user}>"), []), []
    heading = tn(
        "{member}: {count} strike counts now.",
        "{member}: {count} strikes count now.",
        count=strikes,
        member=f"<@{user}>",
    )
    buttons = [Button(older.to(user=user, before=shown[-1].number), t("Older"))] if len(found) > PAGE else []
    return (heading, [Embed(description=joined([_line(one) for one in shown]))]), buttons


def _line(found: Case) -> Text:
    """One case of a record; what was lifted is crossed out."""
    lifted, reason = found.state == "lifted", found.reason[:150].strip()
    what = LOGGED[found.sanction]
    parts = [] if found.moderator_id is None else [f"<@{found.moderator_id}>"]
    if reason:
        parts.append(f"~~{reason}~~" if lifted else reason)
    params = {
        "head": f"**{found.number}** <t:{int(found.opened_at.timestamp())}:d>",
        "what": Text("~~{what}~~", params={"what": what}) if lifted and not reason else what,
        "rest": "".join(f" · {part}" for part in parts),
    }
    return Text("{head} {what}{rest}", params=params)


def embed_of(found: Case) -> Embed:
    """Show a case as an embed."""
    fields = []
    if found.target_id is not None:
        fields.append(Field(t("Member"), f"<@{found.target_id}>", inline=True))
    by: Text | str = t("Automatic") if found.moderator_id is None else f"<@{found.moderator_id}>"
    fields.append(Field(t("By"), by, inline=True))
    if found.expires_at is not None:
        fields.append(Field(t("Until"), f"<t:{int(found.expires_at.timestamp())}:F>", inline=True))
    if found.lifted_at is not None:
        lifted = f"<t:{int(found.lifted_at.timestamp())}:F>" + (
            f" <@{found.lifted_by}>" if found.lifted_by else ""
        )
        fields.append(Field(t("Lifted"), lifted, inline=True))
    if found.notified is not None:
        fields.append(Field(t("Notified"), t("yes") if found.notified else t("no"), inline=True))
    if found.problem is not None:
        fields.append(Field(t("Problem"), explained(found.problem), inline=True))
    return Embed(
        title=t("Case {number}: {what}", number=str(found.number), what=LOGGED[found.sanction]),
        description=found.reason.strip() or None,
        fields=tuple(fields),
        timestamp=found.opened_at,
    )

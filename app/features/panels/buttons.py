"""The buttons that members press. Each carries the version of the panel that it was made for.

A press on an older version changes nothing: the message becomes what there is now, and the member chooses again.
"""

from __future__ import annotations

from typing import Annotated

from annotated_types import Interval

from app.features.panels.member_roles import MemberRoles
from app.features.panels.models import Kind, PanelId, PollState
from app.features.panels.panels import Panels
from app.interactions.context import Click
from app.interactions.custom_id import MAX_TTL
from app.interactions.declarations import Defer
from app.interactions.declare import button
from app.interactions.replies import Reply
from app.interactions.translated import translated
from app.locale.catalogue import Catalogue
from app.locale.text import t
from app.snowflake import RoleId

Version = Annotated[int, Interval(ge=0, le=2**32 - 1)]
Number = Annotated[int, Interval(ge=0, le=2**16 - 1)]


@button("panel.vote", ttl=MAX_TTL)
async def vote(
    click: Click, panel: PanelId, version: Version, choice: Number, *, panels: Panels, catalogue: Catalogue
) -> Reply:
    """Vote in a poll; another press changes the vote."""
    state = await panels.vote(
        click.guild,
        panel,
        version,
        choice,
        user=click.user.id,
        interaction=click.interaction.id,
        now=click.now,
    )
    return current(state, click, panels, catalogue)


@button("panel.role", ttl=MAX_TTL, defer=Defer.PRIVATE)
async def toggle(
    click: Click,
    panel: PanelId,
    version: Version,
    role: RoleId,
    *,
    panels: Panels,
    member_roles: MemberRoles,
    catalogue: Catalogue,
) -> Reply:
    """Take a role or give it back."""
    guild, member = click.guild, click.member
    state = await panels.find(guild, panel)
    shown = state.panel
    if shown.kind is not Kind.ROLES or shown.version != version or not shown.is_open(click.now):
        return current(state, click, panels, catalogue)
    await member_roles.check(guild, [role])
    held = frozenset(member.roles)
    others = [RoleId(choice.key) for choice in shown.choices if shown.only_one and choice.key != role]
    if await panels.claim(click.interaction.id):
        reason = f"Role panel {panel}"
        if role in held:
            await member_roles.take(guild, member.id, role, reason)
        else:
            await member_roles.give(guild, member.id, role, reason)
            for other in held.intersection(others):
                await member_roles.take(guild, member.id, other, reason)
    if role in held:
        return Reply.private(t("You have given back {role}.", role=f"<@&{role}>"))
    return Reply.private(t("You have {role} now.", role=f"<@&{role}>"))


def current(state: PollState, click: Click, panels: Panels, catalogue: Catalogue) -> Reply:
    """Return the panel as it is now, in the language of the server."""
    return Reply.update(None, translated(panels.look(state, click.now), catalogue, state.panel.locale))

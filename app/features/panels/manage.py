"""Changing and closing a panel: for its author and for admins.

Both carry the version that was looked at. Whoever comes second is shown what there is now and can decide again.
"""

from __future__ import annotations

from datetime import timedelta

from app.errors import UserError
from app.features.panels.buttons import Version
from app.features.panels.forms import PollForm, RolesForm, entries
from app.features.panels.member_roles import MemberRoles
from app.features.panels.models import Draft, Kind, PanelId, PollState
from app.features.panels.panels import Panels
from app.features.panels.view import manage_buttons
from app.interactions.context import Click, Submit
from app.interactions.custom_id import MAX_TTL, Bound
from app.interactions.declarations import Defer
from app.interactions.declare import button
from app.interactions.modals import modal
from app.interactions.payloads import Member
from app.interactions.permissions import GuildRoles, Level, Permission, level_of
from app.interactions.replies import Reply
from app.locale.text import Text, t
from app.snowflake import RoleId

MANAGE_TTL = timedelta(minutes=15)


class NotYours(UserError):
    """Only the author and admins may manage a panel."""

    def __init__(self) -> None:
        super().__init__(t("Only whoever made this panel and admins of this server can change it."))


@button("panel.manage", ttl=MAX_TTL, defer=Defer.PRIVATE)
async def manage(click: Click, panel: PanelId, *, panels: Panels, roles: GuildRoles) -> Reply:
    """Show what can be done with a panel."""
    state = await panels.find(click.guild, panel)
    await _require_manager(click, state, roles)
    return _choices(state, t("What do you want to do with “{title}”?", title=state.panel.title), fresh=True)


@button("panel.edit", ttl=MANAGE_TTL, bound=Bound.USER)
async def edit(click: Click, panel: PanelId, version: Version, *, panels: Panels, roles: GuildRoles) -> Reply:
    """Open the form of a panel, filled in."""
    state = await panels.find(click.guild, panel)
    await _require_manager(click, state, roles)
    if state.panel.version != version or not state.panel.is_open(click.now):
        return _too_late(state)
    changed = poll_changed if state.panel.kind is Kind.POLL else roles_changed
    return Reply.modal(changed.open(panel=panel, version=version, entries=entries(state.panel)))


@button("panel.close", ttl=MANAGE_TTL, bound=Bound.USER)
async def close(
    click: Click, panel: PanelId, version: Version, *, panels: Panels, roles: GuildRoles
) -> Reply:
    """Close a panel for good."""
    await _require_manager(click, await panels.find(click.guild, panel), roles)
    state, done = await panels.close(
        click.guild, panel, version, interaction=click.interaction.id, now=click.now
    )
    await panels.refresh(state, click.now)
    return Reply.update(t("It is closed.")) if done else _too_late(state)


@modal("panel.poll-changed", ttl=timedelta(hours=1), defer=Defer.UPDATE)
async def poll_changed(
    submit: Submit, panel: PanelId, version: Version, form: PollForm, *, panels: Panels, roles: GuildRoles
) -> Reply:
    """Change a poll."""
    before = await panels.find(submit.guild, panel)
    await _require_manager(submit, before, roles)
    return await _change(submit, panel, version, form.draft(submit.now, before.panel), panels)


@modal("panel.roles-changed", ttl=timedelta(hours=1), defer=Defer.UPDATE)
async def roles_changed(
    submit: Submit,
    panel: PanelId,
    version: Version,
    form: RolesForm,
    *,
    panels: Panels,
    roles: GuildRoles,
    member_roles: MemberRoles,
) -> Reply:
    """Change a role picker."""
    await _require_manager(submit, await panels.find(submit.guild, panel), roles)
    draft = form.draft()
    await check_roles(submit, draft, roles, member_roles)
    return await _change(submit, panel, version, draft, panels)


def require_manage_roles(member: Member) -> None:
    """Raise UserError unless the member may manage roles."""
    if not member.permissions & (Permission.MANAGE_ROLES | Permission.ADMINISTRATOR):
        raise UserError(t("You need the permission to manage roles."))


async def check_roles(submit: Submit, draft: Draft, roles: GuildRoles, member_roles: MemberRoles) -> None:
    """Refuse roles that the bot or this admin could not hand out. Raises UserError."""
    guild, member = submit.guild, submit.member
    require_manage_roles(member)
    below = None
    if await level_of(guild, member, roles) < Level.OWNER:
        below = await member_roles.place(guild, [RoleId(guild), *member.roles])
    await member_roles.check(guild, [RoleId(choice.key) for choice in draft.choices], below=below)


async def _change(submit: Submit, panel: PanelId, version: int, draft: Draft, panels: Panels) -> Reply:
    state, done = await panels.change(submit.guild, panel, version, draft, interaction=submit.interaction.id)
    await panels.refresh(state, submit.now)
    if not done:
        return _too_late(state) if submit.from_component else Reply.private(_CHANGED)
    said = t("It is changed.")
    return Reply.update(said) if submit.from_component else Reply.private(said)


async def _require_manager(click: Click | Submit, state: PollState, roles: GuildRoles) -> None:
    if state.panel.author_id == click.user.id:
        return
    if await level_of(click.guild, click.member, roles) < Level.ADMIN:
        raise NotYours


_CHANGED = t("Somebody else has changed this panel meanwhile. Here it is as it is now.")


def _too_late(state: PollState) -> Reply:
    if state.panel.closed_at is not None:
        return Reply.update(t("This panel is closed."))
    return _choices(state, _CHANGED, fresh=False)


def _choices(state: PollState, said: Text, *, fresh: bool) -> Reply:
    panel = state.panel
    if panel.closed_at is not None:
        return Reply.private(t("This panel is closed."))
    listed = "\n".join(f"- {choice.label}" for choice in panel.choices)
    text = (
        said
        if fresh
        else Text(
            "{said}\n**{title}**\n{listed}", params={"said": said, "title": panel.title, "listed": listed}
        )
    )
    buttons = manage_buttons(
        edit.to(panel=panel.panel_id, version=panel.version),
        close.to(panel=panel.panel_id, version=panel.version),
    )
    return Reply.private(text, *buttons) if fresh else Reply.update(text, *buttons)

"""/panel poll and /panel roles: messages with buttons that admins post."""

from __future__ import annotations

from datetime import timedelta

from app.features.panels.forms import PollForm, RolesForm
from app.features.panels.manage import check_roles, require_manage_roles
from app.features.panels.member_roles import MemberRoles
from app.features.panels.models import Draft, Kind
from app.features.panels.panels import Panels
from app.interactions.context import Call, Submit
from app.interactions.declare import group
from app.interactions.modals import modal
from app.interactions.permissions import GuildRoles, Level
from app.interactions.replies import Reply
from app.locale.catalogue import Catalogue
from app.locale.text import t

panel = group("panel", "Post a message with buttons", permission=Level.ADMIN)


@panel.slash("poll", "Ask a question; each member has one vote")
async def poll(call: Call) -> Reply:
    """Open the form of a new poll."""
    return Reply.modal(new_poll.open())


@panel.slash("roles", "Let members choose roles for themselves")
async def roles(call: Call) -> Reply:
    """Open the form of a new role picker."""
    require_manage_roles(call.member)
    return Reply.modal(new_roles.open())


@modal("panel.new-poll", ttl=timedelta(hours=1), permission=Level.ADMIN)
async def new_poll(submit: Submit, form: PollForm, *, panels: Panels, catalogue: Catalogue) -> Reply:
    """Post a poll."""
    await _post(submit, Kind.POLL, form.draft(submit.now), panels, catalogue)
    return Reply.private(t("Your poll is posted. **Manage** under it lets you change or close it."))


@modal("panel.new-roles", ttl=timedelta(hours=1), permission=Level.ADMIN)
async def new_roles(
    submit: Submit,
    form: RolesForm,
    *,
    panels: Panels,
    catalogue: Catalogue,
    roles: GuildRoles,
    member_roles: MemberRoles,
) -> Reply:
    """Post a role picker."""
    draft = form.draft()
    await check_roles(submit, draft, roles, member_roles)
    await _post(submit, Kind.ROLES, draft, panels, catalogue)
    return Reply.private(t("Your role picker is posted. **Manage** under it lets you change or close it."))


async def _post(submit: Submit, kind: Kind, draft: Draft, panels: Panels, catalogue: Catalogue) -> None:
    channel = submit.channel_id
    assert channel is not None  # a command is always run in a channel
    await panels.post(
        kind,
        draft,
        guild=submit.guild,
        channel=channel,
        author=submit.user.id,
        locale=catalogue.choose(submit.interaction.guild_locale, submit.locale),
        interaction=submit.interaction.id,
        now=submit.now,
    )

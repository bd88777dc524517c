"""The button in the DM, and the form behind it.

A DM belongs to no guild, so guild and case travel as arguments of the signed id, which is bound to the member.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, ClassVar

from annotated_types import Interval
from pydantic import Field

from app.features.moderation.appeals.appeals import Appeals
from app.features.moderation.cases.store import Case
from app.interactions.context import Click, Submit
from app.interactions.custom_id import Bound, Target
from app.interactions.declare import button
from app.interactions.modal_fields import TextField
from app.interactions.modal_schema import Form
from app.interactions.modals import modal
from app.interactions.replies import Reply
from app.locale.text import t
from app.snowflake import GuildId, UserId

APPEAL_TIME = timedelta(days=90)
"""How long a decision can be appealed against."""
Number = Annotated[int, Interval(ge=1, le=2**31 - 1)]


class AppealForm(Form):
    """What a member says against a decision."""

    title: ClassVar = t("Appeal")
    text: Annotated[
        str,
        TextField(
            t("Why should it be taken back?"),
            t("Moderators who did not make the decision read it."),
            paragraph=True,
        ),
        Field(min_length=10, max_length=1000),
    ]


@button("appeal.open", ttl=APPEAL_TIME, bound=Bound.USER)
async def open_form(click: Click, guild: GuildId, number: Number, *, appeals: Appeals) -> Reply:
    """Open the form, unless there is an appeal already."""
    await appeals.case_for(guild, number, click.user.id)
    return Reply.modal(submitted.open(guild=guild, number=number))


@modal("appeal.submitted", ttl=timedelta(hours=2))
async def submitted(
    submit: Submit, guild: GuildId, number: Number, form: AppealForm, *, appeals: Appeals
) -> Reply:
    """Open an appeal; the DM then shows it instead of the button."""
    message = submit.interaction.message
    dm = None
    if message is not None and message.channel_id is not None:
        dm = (int(message.channel_id), int(message.id))
    said = await appeals.open(guild, number, submit.user.id, form.text, dm=dm)
    return Reply.update(said) if submit.from_component else Reply.private(said)


def target_of(case: Case) -> Target:
    """Return where the appeal button of a case's DM leads."""
    assert case.target_id is not None
    return open_form.to(guild=GuildId(case.guild_id), number=case.number, bound_to=UserId(case.target_id))

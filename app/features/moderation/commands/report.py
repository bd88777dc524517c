"""Message menu, Report: anybody tells the moderators of a message; its text is kept before it can be deleted."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, ClassVar

from pydantic import Field

from app.errors import UserError
from app.features.moderation.review.reports import Reports
from app.interactions.components import Button
from app.interactions.context import Call, Click, Submit
from app.interactions.custom_id import Bound
from app.interactions.declare import Cooldown, button, message_command
from app.interactions.modal_fields import TextField
from app.interactions.modal_schema import Form
from app.interactions.modals import modal
from app.interactions.payloads import Message
from app.interactions.replies import Reply
from app.locale.text import t
from app.snowflake import UserId


class ReasonForm(Form):
    """What is wrong with a message."""

    title: ClassVar = t("Report")
    reason: Annotated[
        str,
        TextField(t("What is wrong with it?"), paragraph=True),
        Field(min_length=3, max_length=300),
    ]


@message_command("Report", cooldown=Cooldown(5, 60))
async def report(call: Call, target: Message, *, reports: Reports) -> Reply:
    """Put a message into the review queue."""
    author = target.author
    if author is None or (target.channel_id is None and call.channel_id is None):
        raise UserError(t("I cannot see whose message that is."))
    if author.id == call.user.id:
        raise UserError(t("That is your own message. You can delete it yourself."))
    text = "\n".join([target.content, *(one.filename for one in target.attachments)]).strip()
    item = await reports.report(
        call.guild,
        channel=target.channel_id or call.channel_id,
        message=target.id,
        author=UserId(author.id),
        text=text,
        by=call.user.id,
    )
    if item.state != "open":
        return Reply.private(t("Moderators have dealt with this message already. Thank you."))
    return Reply.private(
        t("The moderators have it now. Thank you."),
        Button(add_reason.to(item=item.item_id), t("Say what is wrong")),
    )


@button("report.reason", ttl=timedelta(minutes=15), bound=Bound.USER)
async def add_reason(click: Click, item: int) -> Reply:
    """Ask what is wrong."""
    return Reply.modal(reason_given.open(item=item))


@modal("report.reason-given")
async def reason_given(submit: Submit, item: int, form: ReasonForm, *, reports: Reports) -> Reply:
    """Add the reason to the report."""
    added = await reports.add_reason(submit.guild, item, submit.user.id, form.reason)
    said = (
        t("The moderators have it now. Thank you.")
        if added
        else t("Moderators have dealt with this message already. Thank you.")
    )
    return Reply.update(said) if submit.from_component else Reply.private(said)

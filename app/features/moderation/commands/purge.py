"""/purge: remove many messages of a channel at once."""

from __future__ import annotations

import re
from typing import Annotated, Any

from app.errors import UserError
from app.features.moderation.cases.purges.filters import Filters
from app.features.moderation.cases.purges.purging import Purging
from app.interactions.context import Call
from app.interactions.declare import slash
from app.interactions.options import Option
from app.interactions.payloads import User
from app.interactions.permissions import Permission
from app.interactions.replies import Reply
from app.jobs.declare import Work, job
from app.locale.text import t, tn
from app.snowflake import ChannelId

_MESSAGE = re.compile(r"(?:.*/)?(\d{15,20})/?", re.ASCII)


@slash("purge", "Remove many messages of this channel", permission=Permission.MANAGE_MESSAGES)
async def purge(
    call: Call,
    count: Annotated[int, Option("How many, at most", min_value=2, max_value=100)],
    user: Annotated[User | None, Option("Only messages of this person")] = None,
    bots: Annotated[bool, Option("Only messages of bots")] = False,
    contains: Annotated[str | None, Option("Only messages with this text", max_length=100)] = None,
    links: Annotated[bool, Option("Only messages with links")] = False,
    attachments: Annotated[bool, Option("Only messages with files")] = False,
    before: Annotated[
        str | None, Option("Only older ones than this message (link or id)", max_length=200)
    ] = None,
    after: Annotated[
        str | None, Option("Only newer ones than this message (link or id)", max_length=200)
    ] = None,
) -> Reply:
    """Have the messages chosen and removed; pinned ones stay."""
    filters = Filters(
        user=None if user is None else int(user.id),
        bots=bots,
        links=links,
        attachments=attachments,
        contains=contains,
        before=None if before is None else message_id(before),
        after=None if after is None else message_id(after),
    )
    channel = call.channel_id
    assert channel is not None  # a command is always run in a channel
    return Reply.defer(purge_job.job(channel=str(channel), count=count, filters=filters.dump()))


@job("moderation.purge", seconds=600)
async def purge_job(
    work: Work, channel: str, count: int, filters: dict[str, Any], *, purging: Purging
) -> Reply:
    """Choose, record and remove. A worker that takes over goes on with what was recorded."""
    assert work.guild is not None
    done = await purging.purge(
        work.guild,
        ChannelId(int(channel)),
        count,
        Filters.load(filters),
        by=work.user,
        action_key=f"i:{work.interaction_id}",
        progress=work.progress,
    )
    if done.case is None:
        return Reply.private(t("No message here fits, so nothing was removed."))
    return Reply.private(
        tn(
            "{count} message was removed: case {number}.",
            "{count} messages were removed: case {number}.",
            count=done.removed,
            number=str(done.case.number),
        )
    )


def message_id(text: str) -> int:
    """Read a message's link or id. Raises UserError."""
    match = _MESSAGE.fullmatch(text.strip())
    if match is None or int(match[1]) >= 1 << 63:
        raise UserError(t("“{text}” is neither a message's link nor its id.", text=text[:50]))
    return int(match[1])

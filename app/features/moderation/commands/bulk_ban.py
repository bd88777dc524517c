"""/bulk-ban: ban a list of accounts at once. (A command with sub-commands cannot be run by itself: /ban stays.)"""

from __future__ import annotations

import re
from typing import Annotated

from app.errors import UserError
from app.features.moderation.cases.bulk import MOST, BulkBan, BulkBans
from app.interactions.context import Call
from app.interactions.declare import slash
from app.interactions.options import Option
from app.interactions.permissions import Permission
from app.interactions.replies import Reply
from app.jobs.declare import Work, job
from app.locale.text import Text, joined, t, tn
from app.snowflake import UserId

_ENTRY = re.compile(r"(?:<@!?)?(\d{15,20})>?", re.ASCII)
SHOWN = 15
"""Refused people that are named in the answer."""


@slash("bulk-ban", "Ban a list of accounts at once", permission=Permission.BAN_MEMBERS)
async def bulk_ban(
    call: Call,
    users: Annotated[str, Option("Mentions or ids, with spaces or commas, at most 200", max_length=6000)],
    reason: Annotated[str, Option("Why; the audit log shows it", max_length=400)],
    delete_days: Annotated[
        int, Option("Delete their messages of the last days", min_value=0, max_value=7)
    ] = 0,
) -> Reply:
    """Have them banned by a durable job."""
    wanted = parse_users(users)
    return Reply.defer(
        bulk_ban_job.job(
            users=[str(user) for user in wanted], reason=reason, delete_seconds=delete_days * 86_400
        )
    )


@job("moderation.bulk_ban", seconds=300)
async def bulk_ban_job(
    work: Work, users: list[str], reason: str, delete_seconds: int, *, bulk: BulkBans
) -> Reply:
    """Ban them; a worker that takes over bans only who is not banned yet."""
    assert work.guild is not None
    done = await bulk.ban(
        work.guild,
        [UserId(int(user)) for user in users],
        by=work.user,
        reason=reason,
        delete_seconds=delete_seconds,
        action_key=f"i:{work.interaction_id}",
        progress=work.progress,
    )
    return Reply.private(result_of(done))


def parse_users(text: str) -> list[UserId]:
    """Read mentions and ids. Raises UserError that names the first one that is neither."""
    found: list[UserId] = []
    for part in re.split(r"[\s,;]+", text.strip()):
        match = _ENTRY.fullmatch(part)
        if match is None or int(match[1]) >= 1 << 63:
            raise UserError(t("“{text}” is neither a mention nor an id.", text=part[:50]))
        found.append(UserId(int(match[1])))
    unique = list(dict.fromkeys(found))
    if len(unique) > MOST:
        raise UserError(t("Name 1 to {count} people.", count=MOST))
    return unique


def result_of(done: BulkBan) -> Text:
    """Tell what came of it."""
    lines = [tn("{count} account was banned.", "{count} accounts were banned.", count=len(done.banned))]
    if done.banned:
        first, last = str(done.banned[0].number), str(done.banned[-1].number)
        lines.append(
            t("Case {number}", number=first)
            if first == last
            else t("Cases {first} to {last}", first=first, last=last)
        )
    if done.failed:
        names = " ".join(f"<@{case.target_id}>" for case in done.failed[:SHOWN])
        lines.append(t("Discord did not ban: {members}", members=names))
    for user, refusal in done.refused[:SHOWN]:
        lines.append(t("{member}: {problem}", member=f"<@{user}>", problem=refusal.text))
    hidden = len(done.refused) - SHOWN
    if hidden > 0:
        lines.append(tn("… and {count} more refused.", "… and {count} more refused.", count=hidden))
    return joined(lines)

"""/rule domains: lists of domains that rules about links refer to."""

from __future__ import annotations

from typing import Annotated

from app.errors import UserError
from app.features.moderation.commands.rule import rule
from app.features.moderation.rules.domains.fetching import MAX_BYTES, check_url, fetch
from app.features.moderation.rules.domains.lists import DomainLists
from app.features.moderation.rules.domains.names import entries
from app.interactions.context import Autocomplete, Call
from app.interactions.declare import autocomplete
from app.interactions.embeds import Embed
from app.interactions.options import Option
from app.interactions.payloads import Attachment
from app.interactions.replies import Reply
from app.jobs.declare import Work, job
from app.locale.text import t, tn
from app.snowflake import UserId

domains = rule.group("domains", "Lists of domains for rules about links")


@autocomplete
async def list_names(typing: Autocomplete, *, lists: DomainLists) -> Reply:
    """Offer the names of the server's lists."""
    found = [known.name for known in await lists.all(typing.guild)]
    return Reply.choices([name for name in found if typing.typed.lower() in name.lower()])


@job("moderation.import_domains", seconds=300)
async def import_domains(
    work: Work, name: str, url: str, source: str, trusted: bool, *, lists: DomainLists
) -> Reply:
    """Fetch a list and replace what there is under its name."""
    assert work.guild is not None

    async def progress(read: int) -> None:
        await work.progress(t("{count} KB read …", count=read >> 10))

    text = await fetch(url, trusted=trusted, progress=progress)
    found = list(dict.fromkeys(entries(text.splitlines())))
    if not found:
        raise UserError(t("There is no domain in it. One per line is expected, or a hosts file."))
    await work.progress(t("Saving {count} domains …", count=len(found)))
    count = await lists.replace(work.guild, name, found, source=source, by=UserId(work.user))
    return Reply.private(
        tn("“{name}” has {count} domain.", "“{name}” has {count} domains.", count=count, name=name)
    )


@domains.slash("import", "Import a list from a file or a URL; replaces it")
async def import_list(
    call: Call,
    name: Annotated[str, Option("What the list is called", max_length=50, autocomplete=list_names)],
    file: Annotated[Attachment | None, Option("A text file: a domain per line, or a hosts file")] = None,
    url: Annotated[str | None, Option("An https:// address", max_length=1000)] = None,
) -> Reply:
    """Import a list of domains."""
    if "," in name:
        raise UserError(t("A list's name has no commas."))
    if (file is None) == (url is None):
        raise UserError(t("Give either a file or a URL."))
    if file is not None:
        if file.size > MAX_BYTES:
            raise UserError(t("The file is larger than {size} MB.", size=MAX_BYTES >> 20))
        call_of = import_domains.job(name=name, url=file.url, source=file.filename[:200], trusted=True)
    else:
        assert url is not None
        address = check_url(url)
        call_of = import_domains.job(name=name, url=address, source=address[:200], trusted=False)
    return Reply.defer(call_of)


@domains.slash("list", "Show the lists of this server")
async def show(call: Call, *, lists: DomainLists) -> Reply:
    """Show every list in a line."""
    found = await lists.all(call.guild)
    if not found:
        return Reply.private(t("There are no domain lists yet. `/rule domains import` makes one."))
    lines = [
        f"**{one.name}** · {one.entries:,} · <{one.source}> · <t:{int(one.changed_at.timestamp())}:R>"
        if one.source.startswith("https://")
        else f"**{one.name}** · {one.entries:,} · {one.source} · <t:{int(one.changed_at.timestamp())}:R>"
        for one in found
    ]
    return Reply.private(embeds=[Embed(title=t("Domain lists"), description="\n".join(lines)[:4096])])


@domains.slash("remove", "Remove a list")
async def remove(
    call: Call,
    name: Annotated[str, Option("Which list", max_length=50, autocomplete=list_names)],
    *,
    lists: DomainLists,
) -> Reply:
    """Remove a list that no rule uses."""
    await lists.remove(call.guild, name, by=call.user.id)
    return Reply.private(t("“{name}” is removed.", name=name))

"""/help: what can I use here? Made from the declarations, so it is never out of date."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from annotated_types import Interval

from app.errors import UserError
from app.features.core.command_list import CommandList, Entry, Somebody
from app.features.core.commands.about import BLURPLE
from app.interactions.components import Button
from app.interactions.context import Autocomplete, Call, Click
from app.interactions.custom_id import Bound
from app.interactions.declare import autocomplete, button, slash
from app.interactions.discovery import Declarations
from app.interactions.embeds import Embed, Field
from app.interactions.options import Option
from app.interactions.payloads import CommandType, IntegrationType, InteractionContext
from app.interactions.permissions import Flags, GuildRoles, Level
from app.interactions.replies import Choice, Reply
from app.locale.catalogue import Catalogue
from app.locale.text import Text, t, tn

PAGE = 8
"""Commands on a page: what fits on a phone without scrolling."""

Page = Annotated[int, Interval(ge=0, le=255)]


class NoSuchCommand(UserError):
    """The name is no command that this person can use."""

    def __init__(self, name: str) -> None:
        super().__init__(
            t("You have no command `{name}` here. `/help` lists those that you have.", name=name[:100])
        )


@autocomplete
async def command_names(
    typing: Autocomplete, *, declarations: Declarations, catalogue: Catalogue, roles: GuildRoles, flags: Flags
) -> Reply:
    """Offer the commands whose name holds what is typed, those that begin with it first."""
    listed = await CommandList(declarations, catalogue, roles, flags).entries(typing)
    wanted = typing.typed.strip().removeprefix("/").lower()
    found = [
        entry
        for entry in listed
        if entry.command.type is CommandType.CHAT_INPUT
        and (wanted in str(entry.title).lower() or wanted in entry.command.full_name)
    ]
    found.sort(key=lambda entry: not str(entry.title).lower().startswith(f"/{wanted}"))
    return Reply.choices(Choice(entry.title, entry.command.full_name) for entry in found)


@slash(
    "help",
    "Show what I can do here",
    contexts=tuple(InteractionContext),
    integration_types=tuple(IntegrationType),
)
async def show_help(
    call: Call,
    command: Annotated[
        str | None, Option("The command to explain", max_length=100, autocomplete=command_names)
    ] = None,
    *,
    declarations: Declarations,
    catalogue: Catalogue,
    roles: GuildRoles,
    flags: Flags,
) -> Reply:
    """List the commands, or explain one."""
    commands = CommandList(declarations, catalogue, roles, flags)
    if command is None:
        return Reply.private(
            None, *_buttons(await commands.entries(call), 0), embeds=[await _page(commands, call, 0)]
        )
    entry = await commands.find(call, command)
    if entry is None:
        raise NoSuchCommand(command)
    return Reply.private(None, embeds=[_explanation(commands, entry, call)])


@button("help.page", ttl=timedelta(hours=1), bound=Bound.USER)
async def turn_page(
    click: Click,
    page: Page,
    *,
    declarations: Declarations,
    catalogue: Catalogue,
    roles: GuildRoles,
    flags: Flags,
) -> Reply:
    """Show another page."""
    commands = CommandList(declarations, catalogue, roles, flags)
    return Reply.update(
        None, *_buttons(await commands.entries(click), page), embeds=[await _page(commands, click, page)]
    )


async def _page(commands: CommandList, person: Somebody, page: int) -> Embed:
    listed = await commands.entries(person)
    pages = _pages(listed)
    page = min(page, pages - 1)
    return Embed(
        title=t("Commands"),
        description=tn(
            "You can use {count} command here.", "You can use {count} commands here.", len(listed)
        ),
        fields=tuple(
            Field(entry.title, entry.description) for entry in listed[page * PAGE : (page + 1) * PAGE]
        ),
        footer=t("Page {page} of {pages}", page=page + 1, pages=pages) if pages > 1 else None,
        colour=BLURPLE,
    )


def _buttons(listed: list[Entry], page: int) -> list[Button]:
    """Return the buttons to turn pages; the useless one is disabled, a single page has none."""
    pages = _pages(listed)
    if pages == 1:
        return []
    page = min(page, pages - 1)
    return [
        Button(turn_page.to(page=max(0, page - 1)), t("Back"), emoji="◀️", disabled=page == 0),
        Button(turn_page.to(page=min(page + 1, 255)), t("Next"), emoji="▶️", disabled=page == pages - 1),
    ]


def _pages(listed: list[Entry]) -> int:
    return max(1, -(-len(listed) // PAGE))


def _explanation(commands: CommandList, entry: Entry, call: Call) -> Embed:
    fields = [
        Field(
            f"`{commands.option_name(spec.name, call)}`",
            Text(spec.option.description)
            if spec.required
            else t("{description} (may be left out)", description=Text(spec.option.description)),
        )
        for spec in entry.command.options
    ]
    guard = entry.command.guard
    if (who := _who(guard.permission)) is not None:
        fields.append(Field(t("Who may use it"), who))
    if guard.cooldown is not None:
        often = tn(
            "{count} time in {seconds} seconds",
            "{count} times in {seconds} seconds",
            guard.cooldown.uses,
            seconds=guard.cooldown.seconds,
        )
        fields.append(Field(t("How often"), often))
    return Embed(title=entry.title, description=entry.description, fields=tuple(fields), colour=BLURPLE)


def _who(permission: object) -> Text | None:
    match permission:
        case None:
            return None
        case Level.MODERATOR:
            return t("Moderators")
        case Level.ADMIN:
            return t("Admins of this server")
        case Level.OWNER:
            return t("The owner of this server")
        case _:
            return t("Members with the right permission or role")

"""From an interaction to an answer: which declaration, may it run, run it, render what it returns.

    route   = dispatcher.route(interaction)                 no I/O: name and cooldown for the limits
    answer  = await dispatcher.handle(route, interaction)   checks permission and flag, calls the handler
    waiting = dispatcher.deferral(route, interaction)       what to send when `handle` takes longer than 1.5 s
    calls   = dispatcher.late_calls(waiting, answer, interaction)     what to send over REST once it is there

Errors become answers here: a UserError its text, anything else an incident id that is also in the log. Only
InvalidInteraction goes through, to become a 400.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from app.errors import UserError
from app.interactions.binding import BoundHandler, bind, menu_target, option_arguments, option_list
from app.interactions.context import Autocomplete, Call, Click, GuildOnly, Submit
from app.interactions.custom_id import (
    Bound,
    Claims,
    CustomIdError,
    CustomIds,
    Foreign,
    Opened,
    Sealed,
    Used,
)
from app.interactions.dead_components import disable_dead
from app.interactions.declarations import Command, Component
from app.interactions.discovery import Declarations
from app.interactions.errors import InvalidInteraction
from app.interactions.failures import Failures
from app.interactions.interaction import Interaction
from app.interactions.late import LateCall, late_calls
from app.interactions.modal_schema import InvalidForm
from app.interactions.modals import Corrections, Drafts, ModalComponent, Modals, filled
from app.interactions.options import OptionSpec
from app.interactions.payloads import CommandType, InteractionType
from app.interactions.permissions import (
    Flags,
    GuildRoles,
    Level,
    Requirement,
    RoleGrant,
    is_allowed,
    level_of,
)
from app.interactions.replies import Reply
from app.interactions.responses import PONG, Audience, Renderer, Response
from app.interactions.routing import Route, Router
from app.locale.catalogue import Catalogue
from app.locale.text import Text, t
from app.services import Services


class NotAllowed(UserError):
    """The caller lacks what the declaration requires."""


class FeatureOff(UserError):
    """The guild has this feature switched off."""

    def __init__(self) -> None:
        super().__init__(t("This feature is switched off in this server."))


class Dispatcher:
    """Routes interactions to handlers. Built once per process; raises MissingService."""

    def __init__(
        self,
        declarations: Declarations,
        services: Services,
        *,
        custom_ids: CustomIds,
        catalogue: Catalogue,
        claims: Claims,
        roles: GuildRoles,
        flags: Flags,
        clock: Callable[[], datetime],
    ) -> None:
        """`clock` returns aware UTC time.

        Besides `services`, handlers can ask for Declarations, Modals, Catalogue, GuildRoles and Flags.
        """
        self.renderer = Renderer(custom_ids, catalogue)
        self._router = Router(declarations, custom_ids)
        self._failures = Failures(self.renderer)
        self._claims, self._roles, self._flags, self._clock = claims, roles, flags, clock
        drafts: Any = services.get(Drafts)
        self._corrections = None if drafts is None else Corrections(drafts, custom_ids, declarations.routes)
        services = {
            **services,
            Declarations: declarations,
            Modals: Modals(declarations.components),
            Catalogue: catalogue,
            GuildRoles: roles,
            Flags: flags,
        }
        declared: tuple[Command | Component, ...] = (*declarations.commands, *declarations.components)
        self._bound: dict[int, BoundHandler] = {id(one): bind(one.handler, services) for one in declared}
        for command in declarations.commands:
            for spec in command.options:
                if (offers := spec.option.autocomplete) is not None:
                    self._bound[id(offers)] = bind(offers.handler, services)

    def route(self, interaction: Interaction) -> Route:
        """Find the declaration. An unknown command or a dead component has a route too, with its `refusal`.

        Raises InvalidInteraction.
        """
        return self._router.route(interaction)

    async def handle(self, route: Route, interaction: Interaction) -> Response:
        """Answer the interaction. Raises InvalidInteraction, and nothing else but cancellation."""
        if route.kind is InteractionType.PING:
            return Response(PONG)
        audience = self.renderer.audience(interaction)
        try:
            if route.refusal is not None:
                raise route.refusal
            reply = await self._reply(route, interaction, audience)
            return self.renderer.respond(reply, audience, interaction, route.defer)
        except InvalidInteraction:
            raise
        except Exception as error:
            response = self._failures.answer(error, route, interaction, audience)
            if isinstance(error, CustomIdError) and not isinstance(error, Foreign):
                return response.disabling(disable_dead(interaction, self._is_dead(interaction)))
            return response

    def refuse(self, error: UserError, route: Route, interaction: Interaction) -> Response:
        """Answer with an error's text instead of running the handler, for instance that a limit is reached."""
        return self._failures.answer(error, route, interaction, self.renderer.audience(interaction))

    def deferral(self, route: Route, interaction: Interaction) -> Response | None:
        """Return the answer that buys time, None where there is no such thing: then only waiting is left."""
        if route.refusal is not None or route.defer is None:
            return None
        return self.renderer.waiting(route.defer)

    def late_calls(
        self, waiting: Response, answer: Response, interaction: Interaction
    ) -> tuple[LateCall, ...]:
        """Return the REST calls that bring an answer after its deferral, in order."""
        return late_calls(
            waiting, answer, lambda: self._failures.too_late(self.renderer.audience(interaction))
        )

    def _is_dead(self, interaction: Interaction) -> Callable[[str], bool]:
        pressed = interaction.data["custom_id"]
        return lambda custom_id: custom_id == pressed or self._router.is_dead(custom_id, interaction)

    async def _reply(self, route: Route, interaction: Interaction, audience: Audience) -> Reply:
        guard = route.guard
        opened = None
        if route.sealed is not None:
            opened = await self._admit(route.sealed, interaction)
        if guard.flag is not None and not await self._flags.enabled(interaction.guild_id, guard.flag):
            raise FeatureOff
        if guard.permission is not None:
            await self._require(guard.permission, interaction)
        declared = route.declaration
        if route.kind is InteractionType.APPLICATION_COMMAND_AUTOCOMPLETE:
            assert isinstance(declared, Command)
            return await self._autocomplete(declared, route, interaction, audience)
        bound = self._bound[id(declared)]
        if isinstance(declared, Command):
            call = Call(interaction, audience.locale, self._clock(), route.name)
            arguments = self._command_arguments(declared, route, interaction)
            return await bound.function(call, *arguments, **bound.services)
        assert isinstance(declared, Component)
        assert opened is not None
        if isinstance(declared, ModalComponent):
            return await self._submit(declared, bound, opened, interaction, audience)
        await self._claim(opened)
        click = Click(interaction, audience.locale, self._clock())
        return await bound.function(click, *opened.arguments.values(), **bound.services)

    async def _submit(
        self,
        declared: ModalComponent,
        bound: BoundHandler,
        opened: Opened,
        interaction: Interaction,
        audience: Audience,
    ) -> Reply:
        try:
            form = filled(declared, interaction)
        except InvalidForm as refused:
            if self._corrections is None:
                raise
            return await self._corrections.reply(refused, opened, interaction)
        await self._claim(opened)
        submit = Submit(interaction, audience.locale, self._clock())
        reply: Reply = await bound.function(submit, *opened.arguments.values(), form, **bound.services)
        return reply if self._corrections is None else self._corrections.settled(reply, interaction)

    async def _claim(self, opened: Opened) -> None:
        if opened.claim is not None and not await self._claims.claim(opened.claim, until=opened.expires_at):
            raise Used

    def _command_arguments(self, command: Command, route: Route, interaction: Interaction) -> list[Any]:
        if command.type is not CommandType.CHAT_INPUT:
            return [menu_target(command, interaction)]
        if not command.options:
            return []
        return option_arguments(
            command.options, option_list(self._router.node(interaction)), interaction.resolved
        )

    async def _autocomplete(
        self, command: Command, route: Route, interaction: Interaction, audience: Audience
    ) -> Reply:
        options = option_list(self._router.node(interaction))
        focused = next((option for option in options if option.get("focused") is True), None)
        spec = _named(command, "" if focused is None else focused["name"])
        if focused is None or spec is None or spec.option.autocomplete is None:
            return Reply.choices(())
        bound = self._bound[id(spec.option.autocomplete)]
        value = focused.get("value")
        context = Autocomplete(
            interaction,
            audience.locale,
            self._clock(),
            command.full_name,
            spec.name,
            value if isinstance(value, str) else ("" if value is None else str(value)),
            {option["name"]: option.get("value") for option in options},
        )
        return await bound.function(context, **bound.services)

    async def _admit(self, sealed: Sealed, interaction: Interaction) -> Opened:
        member, guild = interaction.member, interaction.guild_id
        moderator = False
        if sealed.scope is Bound.MODERATORS and member is not None and guild is not None:
            moderator = await level_of(guild, member, self._roles) >= Level.MODERATOR
        roles = () if member is None else member.roles
        return sealed.admit(interaction.user_id, roles=roles, moderator=moderator)

    async def _require(self, requirement: Requirement, interaction: Interaction) -> None:
        member, guild = interaction.member, interaction.guild_id
        if member is None or guild is None:
            raise GuildOnly
        if not await is_allowed(requirement, guild, member, self._roles):
            raise NotAllowed(_refusal(requirement))


def _named(command: Command, name: str) -> OptionSpec | None:
    return next((spec for spec in command.options if spec.name == name), None)


def _refusal(requirement: Requirement) -> Text:
    match requirement:
        case Level.MODERATOR:
            return t("Only moderators can do this.")
        case Level.ADMIN:
            return t("Only admins of this server can do this.")
        case Level.OWNER:
            return t("Only the owner of this server can do this.")
        case RoleGrant():
            return t("Only members whom this server has given the right role can do this.")
        case _:
            return t("You lack a permission that this needs.")

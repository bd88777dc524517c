"""Replies become bytes: texts translated, custom ids signed, Discord's limits checked (contract 1.6, 1.7, 3.2).

An update replaces the whole message, so what a reply does not give is cleared. A message that is components v2 stays
so (the flag cannot be taken off), so an update with plain content becomes a Text Display there.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, assert_never

import orjson

from app.interactions import limits
from app.interactions.declarations import Defer
from app.interactions.errors import PayloadError
from app.interactions.interaction import Interaction
from app.interactions.messages import MAX_CONTENT, message_body
from app.interactions.payloads import InteractionType
from app.interactions.rendering import Rendering
from app.interactions.replies import NOBODY, JobCall, MessageFlag, Reply, ResponseType
from app.snowflake import GuildId, UserId

if TYPE_CHECKING:
    from app.interactions.custom_id import CustomIds, Target
    from app.locale.catalogue import Catalogue

MAX_CHOICES = 25
MAX_CHOICE_NAME = 100

PONG = b'{"type":1}'

_MESSAGE_OR_MODAL = frozenset({ResponseType.MESSAGE, ResponseType.MODAL})
_MESSAGE, _UPDATE = int(ResponseType.MESSAGE), int(ResponseType.UPDATE)
_AUTOCOMPLETE = InteractionType.APPLICATION_COMMAND_AUTOCOMPLETE
_CHANGES = frozenset({ResponseType.UPDATE, ResponseType.DEFERRED_UPDATE})
_ALLOWED: Mapping[InteractionType, frozenset[ResponseType]] = {
    InteractionType.PING: frozenset({ResponseType.PONG}),
    InteractionType.APPLICATION_COMMAND: _MESSAGE_OR_MODAL,
    InteractionType.MESSAGE_COMPONENT: _MESSAGE_OR_MODAL | _CHANGES,
    InteractionType.APPLICATION_COMMAND_AUTOCOMPLETE: frozenset({ResponseType.AUTOCOMPLETE}),
    InteractionType.MODAL_SUBMIT: frozenset({ResponseType.MESSAGE}) | _CHANGES,
}
"""The table of contract 1.6; deferrals are made from the declaration and fit by themselves."""


@dataclass(frozen=True, slots=True)
class DisabledComponents:
    """A message whose dead components are to be disabled: the body of a PATCH by the bot."""

    channel_id: int
    message_id: int
    components: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Response:
    """The body of a 200, and what has to happen with it.

    `deferral` must be in the job stream before the body leaves. `disable` is a message to edit afterwards, so that
    nobody presses its dead components again; losing that edit harms nothing.
    """

    body: bytes
    ephemeral: bool = False
    deferral: JobCall | None = None
    disable: DisabledComponents | None = None

    def disabling(self, disable: DisabledComponents | None) -> Response:
        """Return this response with a message to edit afterwards."""
        return dataclasses.replace(self, disable=disable)


@dataclass(frozen=True, slots=True)
class Audience:
    """Whom an answer is for: language, and whom its custom ids are bound to."""

    locale: str
    guild: GuildId | None
    user: UserId
    message_is_v2: bool = False
    """The message that an update will change already has the components-v2 flag."""


class Renderer:
    """Renders replies for one application. Raises PayloadError when a reply breaks a limit."""

    def __init__(self, custom_ids: CustomIds, catalogue: Catalogue) -> None:
        self._custom_ids = custom_ids
        self._catalogue = catalogue

    def audience(self, interaction: Interaction) -> Audience:
        """Return whom the answer to this interaction is for: `locale`, then `guild_locale`, then the default."""
        message = interaction.raw.get("message")
        flags = message.get("flags") if type(message) is dict else 0
        return Audience(
            self._catalogue.choose(interaction.locale, interaction.guild_locale),
            interaction.guild_id,
            interaction.user_id,
            message_is_v2=type(flags) is int and bool(flags & MessageFlag.IS_COMPONENTS_V2),
        )

    def respond(
        self, reply: Reply, audience: Audience, interaction: Interaction, defer: Defer | None
    ) -> Response:
        """Render the answer to an interaction; `defer` is its route's."""
        if reply.job is not None:
            if defer is None:
                raise PayloadError(f"a {interaction.type.name} cannot be deferred")
            return dataclasses.replace(self.waiting(defer), deferral=reply.job)
        if reply.type is ResponseType.MESSAGE and interaction.type is not _AUTOCOMPLETE:  # the common case
            return self.message(reply, audience)
        if reply.type not in _ALLOWED[interaction.type]:
            raise PayloadError(f"a {interaction.type.name} cannot be answered with {reply.type.name}")
        if reply.type in _CHANGES and interaction.raw.get("message") is None:
            raise PayloadError(f"{reply.type.name} needs the message of a component, and there is none")
        data = self.data(reply, audience)
        payload = {"type": int(reply.type)} if data is None else {"type": int(reply.type), "data": data}
        return Response(orjson.dumps(payload), reply.ephemeral)

    def message(self, reply: Reply, audience: Audience) -> Response:
        """Render a message, or an update of one, whatever interaction it is for."""
        update = reply.type is ResponseType.UPDATE
        data = self._body(reply, audience, update=True) if update else self._message(reply, audience)
        payload = {"type": _UPDATE if update else _MESSAGE, "data": data}
        return Response(orjson.dumps(payload), reply.ephemeral)

    @staticmethod
    def waiting(defer: Defer) -> Response:
        """Return the answer that buys 15 minutes."""
        match defer:
            case Defer.PRIVATE:
                return _WAIT_PRIVATE
            case Defer.PUBLIC:
                return _WAIT_PUBLIC
            case Defer.UPDATE:
                return _WAIT_UPDATE
        assert_never(defer)

    def data(self, reply: Reply, audience: Audience) -> dict[str, Any] | None:
        """Render what Discord calls `data`; for a message it is also the body of an edit or follow-up."""
        match reply.type:
            case ResponseType.PONG | ResponseType.DEFERRED_UPDATE | ResponseType.DEFERRED_MESSAGE:
                return None
            case ResponseType.AUTOCOMPLETE:
                return {"choices": self._choices(reply, audience)}
            case ResponseType.MODAL:
                assert reply.form is not None
                return reply.form.render(self._rendering(audience))
            case ResponseType.MESSAGE:
                return self._message(reply, audience)
            case ResponseType.UPDATE:
                return self._body(reply, audience, update=True)
        assert_never(reply.type)

    def _rendering(self, audience: Audience) -> Rendering:
        def sign(target: Target) -> str:
            return self._custom_ids.sign(target, guild=audience.guild, user=audience.user)

        return Rendering(audience.locale, self._catalogue.render, sign)

    def _message(self, reply: Reply, audience: Audience) -> dict[str, Any]:
        flags = (MessageFlag.EPHEMERAL if reply.ephemeral else 0) | (
            MessageFlag.SUPPRESS_EMBEDS if reply.suppress_embeds else 0
        )
        data = self._body(reply, audience, update=False)
        if flags := flags | data.get("flags", 0):
            data["flags"] = int(flags)
        return data

    def _body(self, reply: Reply, audience: Audience, *, update: bool) -> dict[str, Any]:
        if reply.components or reply.embeds or update or reply.content is None:
            data = message_body(
                self._rendering(audience),
                reply.content,
                reply.components,
                reply.embeds,
                complete=update,
                stays_v2=update and audience.message_is_v2,
            )
        else:  # text alone, the common case: nothing to sign, nothing to walk
            text = self._catalogue.render(reply.content, audience.locale)
            data = {"content": limits.check_text("the message", text, MAX_CONTENT)}
        data["allowed_mentions"] = _NOBODY if reply.mentions is NOBODY else reply.mentions.render()
        return data

    def _choices(self, reply: Reply, audience: Audience) -> list[dict[str, Any]]:
        choices = []
        for choice in reply.offered[:MAX_CHOICES]:
            name = self._catalogue.render(choice.name, audience.locale)
            if not name or (isinstance(choice.value, str) and not 1 <= len(choice.value) <= MAX_CHOICE_NAME):
                raise PayloadError("a choice needs a name, and a value of 1-100 characters")
            short = name if len(name) <= MAX_CHOICE_NAME else f"{name[: MAX_CHOICE_NAME - 1]}…"
            choices.append({"name": short, "value": choice.value})
        return choices


_NOBODY = NOBODY.render()
_WAIT_PRIVATE = Response(b'{"type":5,"data":{"flags":64}}', ephemeral=True)
_WAIT_PUBLIC = Response(b'{"type":5}')
_WAIT_UPDATE = Response(b'{"type":6}')

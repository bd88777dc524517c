"""What a person does with the application: commands, autocompletion, buttons, selects, modals."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any

from sandbox.interactions.access import (
    NotAllowed,
    authorizing_owners,
    check_command,
    check_place,
    offered_commands,
)
from sandbox.interactions.files import Upload
from sandbox.interactions.invocations import Invocation, State, new_token
from sandbox.interactions.modals import ModalReader, numbered
from sandbox.interactions.options import InvalidInput, OptionReader, find_leaf
from sandbox.interactions.outcome import Outcome, find_message
from sandbox.interactions.payloads import ATTACHMENT_SIZE_LIMIT, interaction_payload
from sandbox.interactions.resolved import Resolved
from sandbox.interactions.rules.callback import InteractionType, ResponseType
from sandbox.interactions.selects import BUTTON, SELECTS, find_component, read_values
from sandbox.interactions.service import Interactions
from sandbox.world.models import Channel, Command, Message

Json = dict[str, Any]

CHAT_INPUT, USER, MESSAGE = 1, 2, 3
LINK, PREMIUM = 5, 6


class NotFound(InvalidInput):
    """The command, message or modal does not exist (or this person cannot see it)."""


class People:
    """Acts as one of the people. All methods raise InvalidInput for what a client would not let through."""

    def __init__(self, interactions: Interactions) -> None:
        self._interactions = interactions
        self._world = interactions.world

    async def run_command(
        self,
        name: str,
        *,
        user_id: int,
        channel_id: int,
        type: int = CHAT_INPUT,  # noqa: A002 - Discord's own field name
        options: Mapping[str, Any] | None = None,
        target_id: int | None = None,
        locale: str | None = None,
        wait_seconds: float = 0,
    ) -> Outcome:
        """Run `name` (a chat input command with its sub-commands: `panel poll`) as this person."""
        channel = self._world.channel(channel_id)
        command, path = self._find(name, type, channel, user_id)
        resolved = Resolved(self._world, channel.guild_id, user_id)
        data = self._command_data(command)
        if type == CHAT_INPUT:
            reader = self._options(channel, resolved)
            found = reader.read(find_leaf(command.body, path), options or {})
            if found:
                data["options"] = found
        else:
            data["target_id"] = str(self._target(type, target_id, channel, resolved))
        if resolved.as_json():
            data["resolved"] = resolved.as_json()
        invocation = self._invoke(InteractionType.COMMAND, data, channel, user_id, locale, command=command)
        return await self._interactions.perform(invocation, wait_seconds=wait_seconds)

    async def autocomplete(
        self,
        name: str,
        *,
        user_id: int,
        channel_id: int,
        focused: str,
        options: Mapping[str, Any] | None = None,
        locale: str | None = None,
    ) -> Outcome:
        """Ask for choices while `focused` is being typed; other options may be missing."""
        channel = self._world.channel(channel_id)
        command, path = self._find(name, CHAT_INPUT, channel, user_id)
        leaf = find_leaf(command.body, path)
        option = next((o for o in leaf.options if o["name"] == focused), None)
        if option is None or not option.get("autocomplete"):
            raise InvalidInput(f"{focused!r} is not an option with autocompletion")
        resolved = Resolved(self._world, channel.guild_id, user_id)
        data = self._command_data(command)
        data["options"] = self._options(channel, resolved).read(leaf, options or {}, focused=focused)
        if resolved.as_json():
            data["resolved"] = resolved.as_json()
        invocation = self._invoke(
            InteractionType.AUTOCOMPLETE, data, channel, user_id, locale, command=command
        )
        invocation.focused_type = int(option["type"])
        return await self._interactions.perform(invocation)

    async def press(
        self,
        message_id: int,
        custom_id: str,
        *,
        user_id: int,
        locale: str | None = None,
        wait_seconds: float = 0,
    ) -> Outcome:
        """Press a button."""
        message, component = self._component(message_id, custom_id, user_id)
        if component["type"] != BUTTON:
            raise InvalidInput(f"{custom_id!r} is not a button; choose values in it instead")
        if component.get("style") in {LINK, PREMIUM}:
            raise InvalidInput("link and premium buttons send no interaction")
        return await self._use(message, component, None, user_id, locale, wait_seconds)

    async def choose(
        self,
        message_id: int,
        custom_id: str,
        values: Sequence[Any],
        *,
        user_id: int,
        locale: str | None = None,
        wait_seconds: float = 0,
    ) -> Outcome:
        """Choose values (ids for user, role, mentionable and channel selects) in a select menu."""
        message, component = self._component(message_id, custom_id, user_id)
        if component["type"] not in SELECTS:
            raise InvalidInput(f"{custom_id!r} is not a select menu")
        return await self._use(message, component, values, user_id, locale, wait_seconds)

    async def submit_modal(
        self,
        modal_id: int,
        values: Mapping[str, Any],
        *,
        user_id: int,
        locale: str | None = None,
        wait_seconds: float = 0,
    ) -> Outcome:
        """Send off the modal that interaction `modal_id` opened: {custom_id: value or values or files}."""
        parent = self._interactions.invocations.by_id(modal_id)
        callback = parent.callback if parent is not None else None
        if parent is None or callback is None or callback.type is not ResponseType.MODAL:
            raise NotFound("there is no such open modal")
        if parent.user_id != user_id:
            raise NotFound("the modal was opened for somebody else")
        if parent.submitted:
            raise InvalidInput("the modal was already submitted")
        channel = self._world.channel(parent.channel_id)
        resolved = Resolved(self._world, channel.guild_id, user_id)
        reader = ModalReader(
            self._world, channel.guild_id, resolved, lambda file: self._upload(file, channel)
        )
        components = reader.read(numbered(callback.data["components"]), values)
        data: Json = {"custom_id": callback.data["custom_id"], "components": components}
        if resolved.as_json():
            data["resolved"] = resolved.as_json()
        source = find_message(self._world, channel.id, parent.source_id)
        invocation = self._invoke(
            InteractionType.MODAL_SUBMIT, data, channel, user_id, locale or parent.locale, message=source
        )
        invocation.parent = parent
        parent.submitted = True
        outcome = await self._interactions.perform(invocation, wait_seconds=wait_seconds)
        if invocation.state is State.FAILED:
            parent.submitted = False
        return outcome

    def offered(self, channel_id: int, user_id: int) -> list[Command]:
        """The commands that this person is shown in this channel."""
        channel = self._world.channel(channel_id)
        return offered_commands(self._world, channel, user_id, self._interactions.user_installs)

    # -- parts

    def _find(self, name: str, kind: int, channel: Channel, user_id: int) -> tuple[Command, list[str]]:
        check_place(self._world, channel, user_id)
        wanted, path = name.removeprefix("/"), list[str]()
        if kind == CHAT_INPUT:
            wanted, *path = wanted.split()
        matching = [
            c
            for c in self._world.commands.values()
            if c.key == (kind, wanted) and c.guild_id in {None, channel.guild_id}
        ]
        if not matching:
            known = sorted(c.body["name"] for c in self._world.commands.values() if c.key[0] == kind)
            raise NotFound(
                f"no command {wanted!r} of type {kind}; registered are: {', '.join(known) or 'none'}"
            )
        command = min(matching, key=lambda c: c.guild_id is None)
        check_command(self._world, command, channel, user_id)
        return command, path

    def _command_data(self, command: Command) -> Json:
        data: Json = {
            "id": str(command.id),
            "name": command.body["name"],
            "type": int(command.body.get("type", 1)),
        }
        if command.guild_id is not None:
            data["guild_id"] = str(command.guild_id)
        return data

    def _options(self, channel: Channel, resolved: Resolved) -> OptionReader:
        return OptionReader(self._world, channel.guild_id, resolved, lambda file: self._upload(file, channel))

    def _target(self, kind: int, target_id: int | None, channel: Channel, resolved: Resolved) -> int:
        if target_id is None:
            raise InvalidInput("user and message commands need a target_id")
        if kind == USER:
            resolved.user(target_id)
        else:
            resolved.message(channel.id, target_id)
        return target_id

    def _component(self, message_id: int, custom_id: str, user_id: int) -> tuple[Message, Mapping[str, Any]]:
        message = self._world.find_message(message_id)
        if message.ephemeral_for is not None and message.ephemeral_for != user_id:
            raise NotFound("that message is visible to somebody else only")
        check_place(self._world, self._world.channel(message.channel_id), user_id)
        component = find_component(message.components, custom_id)
        if component.get("disabled"):
            raise InvalidInput(f"{custom_id!r} is disabled")
        return message, component

    async def _use(
        self,
        message: Message,
        component: Mapping[str, Any],
        values: Sequence[Any] | None,
        user_id: int,
        locale: str | None,
        wait_seconds: float,
    ) -> Outcome:
        channel = self._world.channel(message.channel_id)
        data: Json = {
            "custom_id": component["custom_id"],
            "component_type": component["type"],
            "id": component["id"],
        }
        if values is not None:
            resolved = Resolved(self._world, channel.guild_id, user_id)
            data["values"] = read_values(self._world, channel.guild_id, component, values, resolved)
            if resolved.as_json():
                data["resolved"] = resolved.as_json()
        invocation = self._invoke(InteractionType.COMPONENT, data, channel, user_id, locale, message=message)
        return await self._interactions.perform(invocation, wait_seconds=wait_seconds)

    def _invoke(
        self,
        kind: InteractionType,
        data: Json,
        channel: Channel,
        user_id: int,
        locale: str | None,
        *,
        command: Command | None = None,
        message: Message | None = None,
    ) -> Invocation:
        world = self._world
        owners = authorizing_owners(
            world,
            channel,
            user_id,
            self._interactions.user_installs,
            None if command is None else command.body,
        )
        if not owners:
            raise NotAllowed("the application is not installed here")
        invocation = Invocation(
            id=world.ids.next(),
            token=new_token(),
            type=kind,
            user_id=user_id,
            channel_id=channel.id,
            guild_id=channel.guild_id,
            locale=locale or world.user(user_id).locale,
            created_ms=world.clock(),
            owners=owners,
            command=command,
            source_id=None if message is None else message.id,
        )
        invocation.payload = interaction_payload(
            world,
            interaction_id=invocation.id,
            token=invocation.token,
            type=kind,
            data=data,
            user_id=user_id,
            channel=channel,
            locale=invocation.locale,
            owners=owners,
            message=message,
        )
        return invocation

    def _upload(self, file: Any, channel: Channel) -> Json:
        return self._interactions.files.put(read_upload(file), channel_id=channel.id, ephemeral=True)


def read_upload(file: Any) -> Upload:
    """A file as the admin API takes it: {filename, content_base64 or text, content_type?}. Raises InvalidInput."""
    if not isinstance(file, dict) or not isinstance(file.get("filename"), str) or not file["filename"]:
        raise InvalidInput("must be a file: {filename, content_base64 or text, content_type?}")
    if isinstance(file.get("text"), str):
        content = file["text"].encode()
    else:
        try:
            content = base64.b64decode(str(file.get("content_base64") or ""), validate=True)
        except binascii.Error:
            raise InvalidInput("content_base64 is not valid base64") from None
    if len(content) > ATTACHMENT_SIZE_LIMIT:
        raise InvalidInput(f"is larger than {ATTACHMENT_SIZE_LIMIT} bytes")
    return Upload(file["filename"], content, str(file.get("content_type") or ""))

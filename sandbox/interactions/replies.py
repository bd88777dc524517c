"""Puts what the application answered into the world: messages, deferrals, edits (contract 1.6-1.9)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sandbox.interactions.files import Files, Upload
from sandbox.interactions.invocations import MOST_USER_INSTALL_FOLLOWUPS, Invocation, State
from sandbox.interactions.rendering import Rendered, render
from sandbox.interactions.rules.callback import Callback, InteractionType, ResponseType
from sandbox.interactions.rules.message import EPHEMERAL, check_message
from sandbox.world.models import MESSAGE_FLAG_LOADING, Message
from sandbox.world.payloads import message_payload, user_payload
from sandbox.world.permissions import Permission
from sandbox.world.world import World

Json = dict[str, Any]

REPLY, CHAT_INPUT_COMMAND, CONTEXT_MENU_COMMAND = 19, 20, 23


class TooManyFollowUps(Exception):
    """A sixth follow-up of an application that only the invoker installed (40094)."""


class Replies:
    """Every change that an answer makes to the world."""

    def __init__(self, world: World, files: Files) -> None:
        self.world = world
        self.files = files

    def apply(self, invocation: Invocation, callback: Callback, uploads: Sequence[Upload]) -> None:
        """Carry out a first response that was found valid."""
        match callback.type:
            case ResponseType.MESSAGE:
                message = self._post(invocation, callback.data, uploads, ephemeral=callback.ephemeral)
                invocation.original_id = message.id
            case ResponseType.DEFERRED_MESSAGE:
                invocation.original_id = self._post_loading(invocation, ephemeral=callback.ephemeral).id
            case ResponseType.UPDATE_MESSAGE:
                assert invocation.source_id is not None
                invocation.original_id = invocation.source_id
                source = self.world.message(invocation.channel_id, invocation.source_id)
                self._edit(source, callback.data, uploads, by_author=True)
            case ResponseType.DEFERRED_UPDATE:
                invocation.original_id = invocation.source_id
            case _:
                pass
        invocation.callback = callback
        invocation.state = State.ANSWERED
        if callback.type not in {ResponseType.DEFERRED_MESSAGE, ResponseType.DEFERRED_UPDATE}:
            invocation.finished.set()
        invocation.answered.set()

    def follow_up(self, invocation: Invocation, data: Any, uploads: Sequence[Upload]) -> Message:
        """Post another message. Raises InvalidForm and TooManyFollowUps.

        Directly after a type 5 it completes the loading message instead (deprecated, contract 1.9).
        """
        loading = self._loading(invocation)
        if loading is not None:
            return self.edit(invocation, loading, data, uploads)
        if invocation.user_install_only and invocation.followups_sent >= MOST_USER_INSTALL_FOLLOWUPS:
            raise TooManyFollowUps
        check_message(data, files=[upload.filename for upload in uploads])
        ephemeral = bool(int(data.get("flags") or 0) & EPHEMERAL)
        message = self._post(invocation, data, uploads, ephemeral=ephemeral, follow_up=True)
        invocation.followup_ids.append(message.id)
        invocation.followups_sent += 1
        invocation.finished.set()
        return message

    def edit(self, invocation: Invocation, message: Message, data: Any, uploads: Sequence[Upload]) -> Message:
        """Edit the first response or a follow-up. Raises InvalidForm."""
        before = message_payload(self.world, message)
        check_message(data, files=[upload.filename for upload in uploads], before=before)
        was_loading = bool(message.flags & MESSAGE_FLAG_LOADING)
        message.flags &= ~MESSAGE_FLAG_LOADING
        self._edit(message, data, uploads, by_author=not was_loading)
        invocation.finished.set()
        return message

    def delete(self, invocation: Invocation, message: Message) -> None:
        """Delete the first response or a follow-up, ephemeral ones included."""
        self.world.delete_message(message.channel_id, message.id)
        invocation.finished.set()

    def _loading(self, invocation: Invocation) -> Message | None:
        callback = invocation.callback
        if callback is None or callback.type is not ResponseType.DEFERRED_MESSAGE:
            return None
        assert invocation.original_id is not None
        found = self.world.messages.get(invocation.channel_id, {}).get(invocation.original_id)
        found = found or self.world.ephemeral.get(invocation.original_id)
        return found if found is not None and found.flags & MESSAGE_FLAG_LOADING else None

    def _post(
        self,
        invocation: Invocation,
        data: Json,
        uploads: Sequence[Upload],
        *,
        ephemeral: bool,
        follow_up: bool = False,
    ) -> Message:
        ephemeral = ephemeral or self._must_hide(invocation)
        content = render(data, uploads, self.files, channel_id=invocation.channel_id, ephemeral=ephemeral)
        return self._create(invocation, content, ephemeral=ephemeral, follow_up=follow_up)

    def _post_loading(self, invocation: Invocation, *, ephemeral: bool) -> Message:
        empty = Rendered(None, None, None, None, MESSAGE_FLAG_LOADING, None, {"parse": []}, tts=False)
        return self._create(invocation, empty, ephemeral=ephemeral or self._must_hide(invocation))

    def _create(
        self, invocation: Invocation, content: Rendered, *, ephemeral: bool, follow_up: bool = False
    ) -> Message:
        application = self.world.application
        flags = (content.flags | EPHEMERAL) if ephemeral else (content.flags & ~EPHEMERAL)
        return self.world.post_message(
            invocation.channel_id,
            application.bot_id,
            content.content or "",
            embeds=content.embeds or (),
            components=content.components or (),
            attachments=content.attachments or (),
            flags=flags,
            type=self._message_type(invocation, follow_up=follow_up),
            tts=content.tts,
            reference=self._reference(invocation, follow_up=follow_up),
            allowed_mentions=content.allowed_mentions,
            webhook_id=application.id,
            application_id=application.id,
            interaction_metadata=self._metadata(invocation, follow_up=follow_up),
            poll=content.poll,
            ephemeral_for=invocation.user_id if ephemeral else None,
        )

    def _edit(self, message: Message, data: Json, uploads: Sequence[Upload], *, by_author: bool) -> None:
        content = render(
            data,
            uploads,
            self.files,
            channel_id=message.channel_id,
            ephemeral=message.ephemeral_for is not None,
            kept=message.attachments,
        )
        self.world.edit_message(
            message.channel_id,
            message.id,
            content=content.content,
            embeds=content.embeds,
            components=content.components,
            attachments=content.attachments,
            flags=message.flags | (content.flags & ~EPHEMERAL),
            poll=content.poll,
            allowed_mentions=content.allowed_mentions,
            by_author=by_author,
        )

    def _must_hide(self, invocation: Invocation) -> bool:
        """Answers of an application that only the invoker installed need USE_EXTERNAL_APPS to be public."""
        if not invocation.user_install_only or invocation.guild_id is None:
            return False
        channel = self.world.channel(invocation.channel_id)
        granted = self.world.permissions_in(channel, invocation.user_id)
        return not granted & Permission.USE_EXTERNAL_APPS

    def _message_type(self, invocation: Invocation, *, follow_up: bool) -> int:
        if follow_up or invocation.type is not InteractionType.COMMAND:
            return REPLY if self._reference(invocation, follow_up=follow_up) else 0
        command_type = int(invocation.command.body.get("type", 1)) if invocation.command else 1
        return CHAT_INPUT_COMMAND if command_type == 1 else CONTEXT_MENU_COMMAND

    def _reference(self, invocation: Invocation, *, follow_up: bool) -> Json | None:
        """Answers to a component refer to its message, follow-ups to the first response, if it is public."""
        target = invocation.original_id if follow_up else invocation.source_id
        if target is None or target not in self.world.messages.get(invocation.channel_id, {}):
            return None
        return self.world.reference_to(self.world.message(invocation.channel_id, target))

    def _metadata(self, invocation: Invocation, *, follow_up: bool) -> Json:
        metadata: Json = {
            "id": str(invocation.id),
            "type": int(invocation.type),
            "user": user_payload(self.world.user(invocation.user_id)),
            "authorizing_integration_owners": dict(invocation.owners),
        }
        data = invocation.payload.get("data", {})
        if invocation.type is InteractionType.COMMAND:
            metadata |= {"name": data["name"], "command_type": data["type"]}
            if data["type"] == 2:
                metadata["target_user"] = data["resolved"]["users"][data["target_id"]]
            elif data["type"] == 3:
                metadata["target_message_id"] = data["target_id"]
        elif invocation.type is InteractionType.COMPONENT:
            metadata["interacted_message_id"] = str(invocation.source_id)
        elif invocation.parent is not None:
            metadata["triggering_interaction_metadata"] = self._metadata(invocation.parent, follow_up=False)
        if follow_up and invocation.original_id is not None:
            metadata["original_response_message_id"] = str(invocation.original_id)
        return metadata

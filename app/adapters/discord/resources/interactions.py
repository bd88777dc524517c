"""Responses to interactions and follow-ups, by their token (contract 1.8 and 1.9); webhooks alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Unpack, cast

from app.adapters.discord import routes
from app.adapters.discord.caller import Caller, File, Json, Options, created, edited

FIRST_RESPONSE_SECONDS = 2.5
"""Discord takes a first response within 3 s of the interaction (contract 1.3); the rest is for the way."""

_MESSAGE_RESPONSES = frozenset({4, 7})
"""Response types that carry a message (contract 1.6)."""


class Interactions(Caller):
    """Operations with an interaction's token. None needs the bot token, all stay outside the global limit."""

    async def create_interaction_response(
        self,
        interaction_id: int,
        token: str,
        response: Mapping[str, Any],
        *,
        files: Sequence[File] = (),
        with_response: bool = False,
        **options: Unpack[Options],
    ) -> Json | None:
        """Give the first response (`type`, `data`); with `with_response` return Discord's callback object.

        Raises AlreadyAcknowledged or UnknownInteraction; the default deadline is 2.5 seconds.
        """
        body = dict(response)
        if body.get("type") in _MESSAGE_RESPONSES:
            message = dict(body.get("data") or {})
            body["data"] = created(message, files) if body["type"] == 4 else edited(message, files)
        if options.get("deadline") is None:
            options["deadline"] = FIRST_RESPONSE_SECONDS
        target = routes.CREATE_INTERACTION_RESPONSE.at(interaction_id=interaction_id, interaction_token=token)
        query = {"with_response": "true"} if with_response else None
        answer = await self.request(target, json=body, query=query, files=files, **options)
        return cast(Json | None, answer)

    async def get_original_response(self, token: str, **options: Unpack[Options]) -> Json:
        target = routes.GET_ORIGINAL_RESPONSE.at(webhook_id=self.application_id, webhook_token=token)
        return cast(Json, await self.request(target, **options))

    async def edit_original_response(
        self,
        token: str,
        message: Mapping[str, Any],
        *,
        files: Sequence[File] = (),
        **options: Unpack[Options],
    ) -> Json:
        """Change the first response, or finish a deferred one."""
        target = routes.EDIT_ORIGINAL_RESPONSE.at(webhook_id=self.application_id, webhook_token=token)
        return cast(Json, await self.request(target, json=edited(message, files), files=files, **options))

    async def delete_original_response(self, token: str, **options: Unpack[Options]) -> None:
        target = routes.DELETE_ORIGINAL_RESPONSE.at(webhook_id=self.application_id, webhook_token=token)
        await self.request(target, **options)

    async def create_followup(
        self,
        token: str,
        message: Mapping[str, Any],
        *,
        files: Sequence[File] = (),
        **options: Unpack[Options],
    ) -> Json:
        """Send a further message. There is no nonce here, so it is not repeated after network errors.

        Raises FollowupLimit after five for an application that only the user installed.
        """
        target = routes.EXECUTE_WEBHOOK.at(webhook_id=self.application_id, webhook_token=token)
        return cast(Json, await self.request(target, json=created(message, files), files=files, **options))

    async def get_followup(self, token: str, message_id: int, **options: Unpack[Options]) -> Json:
        return cast(
            Json, await self.request(self._followup(routes.GET_WEBHOOK_MESSAGE, token, message_id), **options)
        )

    async def edit_followup(
        self,
        token: str,
        message_id: int,
        message: Mapping[str, Any],
        *,
        files: Sequence[File] = (),
        **options: Unpack[Options],
    ) -> Json:
        target = self._followup(routes.EDIT_WEBHOOK_MESSAGE, token, message_id)
        return cast(Json, await self.request(target, json=edited(message, files), files=files, **options))

    async def delete_followup(self, token: str, message_id: int, **options: Unpack[Options]) -> None:
        await self.request(self._followup(routes.DELETE_WEBHOOK_MESSAGE, token, message_id), **options)

    async def execute_webhook(
        self,
        webhook_id: int,
        token: str,
        message: Mapping[str, Any],
        *,
        files: Sequence[File] = (),
        thread_id: int | None = None,
        **options: Unpack[Options],
    ) -> Json:
        """Post through a channel's webhook (`username`, `avatar_url` allowed) and return the message."""
        target = routes.EXECUTE_WEBHOOK.at(webhook_id=webhook_id, webhook_token=token)
        query = {"wait": "true", "thread_id": thread_id}
        body = created(message, files)
        return cast(Json, await self.request(target, json=body, query=query, files=files, **options))

    def _followup(self, route: routes.Route, token: str, message_id: int) -> routes.Target:
        return route.at(webhook_id=self.application_id, webhook_token=token, message_id=message_id)

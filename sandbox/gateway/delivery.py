"""From the world's events to the sessions that may have them: shard, intents, what the bot can see, trouble."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

import orjson

from sandbox.gateway.content import without_content
from sandbox.gateway.protocol import Intent, intent_for
from sandbox.gateway.session import Session
from sandbox.trouble import GatewayKind, Trouble
from sandbox.world import Permission, World
from sandbox.world.payloads import guild_create_payload

HOLD_SECONDS = 1.0
"""An event that is held back for disorder goes out after this long even when no other follows."""

MESSAGE_EVENTS = frozenset({"MESSAGE_CREATE", "MESSAGE_UPDATE"})
_MODERATION = {
    "GUILD_AUDIT_LOG_ENTRY_CREATE": Permission.VIEW_AUDIT_LOG,
    "GUILD_BAN_ADD": Permission.BAN_MEMBERS | Permission.VIEW_AUDIT_LOG,
    "GUILD_BAN_REMOVE": Permission.BAN_MEMBERS | Permission.VIEW_AUDIT_LOG,
}
"""Events that need one of these permissions (contract section 5.6)."""

Json = dict[str, Any]


class Delivery:
    """Listens to the world and dispatches."""

    def __init__(self, world: World, trouble: Trouble, sessions: Callable[[], Iterable[Session]]) -> None:
        self._world = world
        self._trouble = trouble
        self._sessions = sessions
        self.dispatched = 0

    def on_event(self, event: str, data: Json, guild_id: int | None) -> None:
        """Dispatch one event of the world to every session that may have it."""
        if not self._bot_may_know(event, data, guild_id):
            return
        full: bytes | None = None
        stripped: bytes | None = None
        needed = intent_for(event, in_guild=guild_id is not None)
        own = event == "GUILD_MEMBER_UPDATE" and data["user"]["id"] == str(self._world.bot_id)
        for session in self._sessions():
            if not session.owns(guild_id) or not (own or session.intents & needed == needed):
                continue
            if event == "GUILD_CREATE" and guild_id is not None:
                self.dispatch_guild(session, guild_id)
            elif event in MESSAGE_EVENTS and not session.intents & Intent.MESSAGE_CONTENT:
                stripped = stripped or orjson.dumps(without_content(data, self._world.bot_id))
                self.dispatch(session, event, stripped)
            else:
                full = full or orjson.dumps(data)
                self.dispatch(session, event, full)

    def dispatch_guild(self, session: Session, guild_id: int) -> None:
        """Dispatch GUILD_CREATE; who subscribed presences also gets the members."""
        everybody = bool(session.intents & Intent.GUILD_PRESENCES)
        payload = guild_create_payload(self._world, self._world.guilds[guild_id], all_members=everybody)
        self.dispatch(session, "GUILD_CREATE", orjson.dumps(payload))

    def _bot_may_know(self, event: str, data: Json, guild_id: int | None) -> bool:
        bot = self._world.bot_id
        if guild_id is None:
            channel = self._world.channels.get(int(data.get("channel_id", 0)))
            return channel is None or channel.guild_id is not None or bot in channel.recipients
        if event == "GUILD_DELETE":
            return True
        guild = self._world.guilds.get(guild_id)
        if guild is None or guild.unavailable or bot not in guild.members:
            return False
        needed = _MODERATION.get(event)
        if needed is not None and not self._world.guild_permissions_of(guild_id, bot) & needed:
            return False
        if event == "THREAD_MEMBERS_UPDATE":
            return self._world.can_view(int(data["id"]), bot)
        channel_id = data.get("channel_id")
        if event in {"THREAD_CREATE", "THREAD_UPDATE", "CHANNEL_CREATE", "CHANNEL_UPDATE"}:
            channel_id = data["id"]
        return channel_id is None or self._world.can_view(int(channel_id), bot)

    def dispatch(self, session: Session, event: str, data: bytes) -> None:
        """Give an event to a session, with whatever trouble is switched on."""
        self.dispatched += 1
        delay = self._trouble.for_gateway(GatewayKind.DELAY, session.shard, event)
        loop = asyncio.get_running_loop()
        if delay is not None or session.due > loop.time():
            wait = 0.0 if delay is None else delay.milliseconds / 1000
            session.due = max(loop.time() + wait, session.due + 1e-6)
            loop.call_at(session.due, self._now, session, event, data)
            return
        self._now(session, event, data)

    def _now(self, session: Session, event: str, data: bytes) -> None:
        shard = session.shard
        huge = self._trouble.for_gateway(GatewayKind.HUGE, shard, event)
        if huge is not None:
            data = b'{"padding":"%b",' % (b"x" * huge.kilobytes * 1024) + data[1:]
        if session.held is not None:
            held, session.held = session.held, None
            session.dispatch(event, data)
            session.dispatch(*held)
            return
        if self._trouble.for_gateway(GatewayKind.OUT_OF_ORDER, shard, event) is not None:
            session.held = (event, data)
            loop = asyncio.get_running_loop()
            session.held_timer = loop.call_later(HOLD_SECONDS, self._release, session)
            return
        malformed = self._trouble.for_gateway(GatewayKind.MALFORMED, shard, event)
        if malformed is not None:
            session.dispatch_broken(event, data, malformed.form, lasting=malformed.lasting)
        else:
            session.dispatch(event, data)
        if self._trouble.for_gateway(GatewayKind.DUPLICATE, shard, event) is not None:
            session.dispatch(event, data)

    @staticmethod
    def _release(session: Session) -> None:
        if session.held is not None:
            held, session.held = session.held, None
            session.dispatch(*held)

"""REQUEST_GUILD_MEMBERS: chunks of members, one whole-guild request per guild per half minute (contract 5.6)."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from sandbox.gateway.protocol import Intent, Op
from sandbox.gateway.session import Session
from sandbox.settings import SandboxSettings
from sandbox.world import Guild, Member, World
from sandbox.world.payloads import member_payload, presence_payload

CHUNK = 1000
MAX_ASKED = 100
MAX_NONCE_BYTES = 32

Json = dict[str, Any]
Dispatch = Callable[[str, Json], None]


class MemberRequests:
    """Answers op 8."""

    def __init__(
        self, settings: SandboxSettings, world: World, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._settings = settings
        self._world = world
        self._clock = clock
        self._last_whole: dict[int, float] = {}

    def answer(self, session: Session, request: Json, dispatch: Dispatch) -> None:
        """Dispatch the chunks. Raises KeyError, TypeError or ValueError for a malformed request."""
        guild_id = int(request["guild_id"])
        query, user_ids = request.get("query"), request.get("user_ids")
        limit = int(request.get("limit", 0))
        if (query is None) == (user_ids is None):
            raise ValueError("one of query and user_ids is needed")
        guild = self._world.guilds.get(guild_id)
        if guild is None or self._world.bot_id not in guild.members or not session.owns(guild_id):
            return
        nonce = request.get("nonce")
        if nonce is not None and len(str(nonce).encode()) > MAX_NONCE_BYTES:
            nonce = None
        missing: list[str] = []
        if user_ids is not None:
            asked = [user_ids] if isinstance(user_ids, str | int) else list(user_ids)
            found = [guild.members[int(u)] for u in asked[:MAX_ASKED] if int(u) in guild.members]
            missing = [str(u) for u in asked[:MAX_ASKED] if int(u) not in guild.members]
        elif query == "" and limit == 0:
            if not session.intents & Intent.GUILD_MEMBERS:
                return
            wait = self._wait(guild_id)
            if wait is not None:
                self._refuse(dispatch, guild_id, wait, nonce)
                return
            found = list(guild.members.values())
        else:
            found = self._named(guild, str(query))[: min(limit or MAX_ASKED, MAX_ASKED)]
        with_presences = bool(request.get("presences")) and bool(session.intents & Intent.GUILD_PRESENCES)
        self._chunks(dispatch, guild, found, missing, nonce, with_presences=with_presences)

    def _wait(self, guild_id: int) -> float | None:
        now = self._clock()
        last = self._last_whole.get(guild_id)
        if last is not None and now - last < self._settings.members_request_seconds:
            return self._settings.members_request_seconds - (now - last)
        self._last_whole[guild_id] = now
        return None

    def _refuse(self, dispatch: Dispatch, guild_id: int, wait: float, nonce: Any) -> None:
        meta: Json = {"guild_id": str(guild_id)}
        if nonce is not None:
            meta["nonce"] = nonce
        limited = {"opcode": int(Op.REQUEST_GUILD_MEMBERS), "retry_after": round(wait, 3), "meta": meta}
        dispatch("RATE_LIMITED", limited)

    def _named(self, guild: Guild, prefix: str) -> list[Member]:
        wanted = prefix.casefold()

        def names(member: Member) -> list[str]:
            user = self._world.user(member.user_id)
            return [n.casefold() for n in (user.username, user.global_name, member.nick) if n]

        return [m for m in guild.members.values() if any(n.startswith(wanted) for n in names(m))]

    def _chunks(
        self,
        dispatch: Dispatch,
        guild: Guild,
        found: list[Member],
        missing: list[str],
        nonce: Any,
        *,
        with_presences: bool,
    ) -> None:
        chunks = [found[i : i + CHUNK] for i in range(0, len(found), CHUNK)] or [[]]
        for index, chunk in enumerate(chunks):
            data: Json = {
                "guild_id": str(guild.id),
                "members": [member_payload(self._world, m) for m in chunk],
                "chunk_index": index,
                "chunk_count": len(chunks),
                "not_found": missing if index == 0 else [],
            }
            if with_presences:
                data["presences"] = [presence_payload(self._world.user(m.user_id)) for m in chunk]
            if nonce is not None:
                data["nonce"] = nonce
            dispatch("GUILD_MEMBERS_CHUNK", data)

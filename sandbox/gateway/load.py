"""Load: messages of ordinary people, as many and as fast as asked."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass

from sandbox.world import ChannelType, Guild, Permission, World

TICK_SECONDS = 0.02
LINES = (
    "Has anybody seen my other sock?",
    "That was a lovely evening, thank you all 💛",
    "New recipe in the usual place. It has too much garlic, as it should.",
    "I will be ten minutes late, start without me.",
    "Page 112. That is all I am going to say.",
    "Who is in for Thursday?",
    "Good night from the night shift 🌙",
    "The cat has opinions about my keyboard.",
)


@dataclass(frozen=True, slots=True)
class Burst:
    """What was emitted: how many messages, in how many seconds, and their ids."""

    posted: int
    seconds: float
    first_id: int | None
    last_id: int | None


async def emit_burst(
    world: World,
    n: int,
    rate: float,
    *,
    guild_id: int | None = None,
    content: Callable[[int], str] | None = None,
) -> Burst:
    """Post `n` messages at `rate` per second (0: as fast as possible), in turn over guilds, channels and
    people.

    `content` makes the text of message number i; without it everyday lines are used.
    """
    places = itertools.cycle(_places(world, guild_id))
    started = time.monotonic()
    posted, first, last = 0, None, None
    while posted < n:
        due = n if rate <= 0 else min(n, int((time.monotonic() - started) * rate) + 1)
        for number in range(posted, min(due, posted + 200)):
            channel_id, author_id = next(places)
            text = content(number) if content is not None else f"{LINES[number % len(LINES)]} ({number + 1})"
            last = world.post_message(channel_id, author_id, text).id
            first = first or last
            posted = number + 1
        await asyncio.sleep(0 if posted < due or rate <= 0 else TICK_SECONDS)
    return Burst(posted, time.monotonic() - started, first, last)


def _places(world: World, guild_id: int | None) -> list[tuple[int, int]]:
    guilds: list[Guild] = world.bot_guilds() if guild_id is None else [world.guild(guild_id)]
    places = [
        (channel.id, member.user_id)
        for guild in guilds
        for channel in world.guild_channels(guild.id)
        if channel.type == ChannelType.TEXT
        for member in guild.members.values()
        if not world.user(member.user_id).bot
        and world.permissions_in(channel, member.user_id) & Permission.SEND_MESSAGES
    ]
    if not places:
        raise ValueError("nobody can post anywhere")
    step = max(1, len(places) // 7)
    return [places[(i * step) % len(places)] for i in range(len(places))] if len(places) % step else places

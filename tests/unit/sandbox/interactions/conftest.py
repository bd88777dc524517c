"""A seeded world, its interactions side, and a scripted application on a real socket."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from sandbox.interactions.files import Files
from sandbox.interactions.people import People
from sandbox.interactions.service import Interactions
from sandbox.world import Channel, Guild, World, seeded_world
from tests.fixtures.scripted_app import ScriptedApp, scripted_app

COMMANDS: list[dict[str, Any]] = [
    {"name": "ping", "type": 1, "description": "Pong"},
    {
        "name": "warn",
        "type": 1,
        "description": "Warn",
        "default_member_permissions": str(1 << 40),
        "contexts": [0],
        "options": [
            {"name": "member", "type": 6, "description": "Who", "required": True},
            {"name": "reason", "type": 3, "description": "Why", "required": True, "max_length": 20},
            {"name": "points", "type": 4, "description": "n", "min_value": 1, "max_value": 5},
            {"name": "weight", "type": 10, "description": "n"},
            {"name": "quiet", "type": 5, "description": "b"},
            {"name": "where", "type": 7, "description": "c", "channel_types": [0]},
            {"name": "role", "type": 8, "description": "r"},
            {"name": "whom", "type": 9, "description": "m"},
            {"name": "proof", "type": 11, "description": "f", "file_types": ["image"]},
        ],
    },
    {
        "name": "panel",
        "type": 1,
        "description": "Panels",
        "options": [
            {
                "name": "poll",
                "type": 2,
                "description": "Polls",
                "options": [
                    {
                        "name": "new",
                        "type": 1,
                        "description": "New poll",
                        "options": [
                            {
                                "name": "topic",
                                "type": 3,
                                "description": "t",
                                "required": True,
                                "autocomplete": True,
                            },
                            {"name": "days", "type": 4, "description": "d", "required": True},
                        ],
                    }
                ],
            }
        ],
    },
    {"name": "Report", "type": 3},
    {"name": "Warn history", "type": 2},
]


@pytest.fixture
def world() -> World:
    world = seeded_world()
    world.overwrite_commands(None, COMMANDS)
    return world


@pytest.fixture
def guild(world: World) -> Guild:
    return next(iter(world.guilds.values()))


@pytest.fixture
def general(world: World, guild: Guild) -> Channel:
    return next(c for c in world.guild_channels(guild.id) if c.name == "general")


@pytest.fixture
def ordinary(world: World, guild: Guild) -> int:
    """A member without roles."""
    return next(m.user_id for m in guild.members.values() if not m.roles and m.user_id != guild.owner_id)


@pytest.fixture
async def interactions(world: World) -> AsyncIterator[Interactions]:
    made = Interactions(world, Files(world.ids.next, lambda: "http://sandbox.test"))
    yield made
    await made.aclose()


@pytest.fixture
def people(interactions: Interactions) -> People:
    return People(interactions)


@pytest.fixture
async def app(interactions: Interactions, world: World) -> AsyncIterator[ScriptedApp]:
    async with scripted_app(interactions.signer.public_key) as running:
        await interactions.endpoint.save_interactions_url(running.url)
        yield running


@pytest.fixture
def act(people: People, guild: Guild, general: Channel) -> Callable[..., Any]:
    """Run a command in #general as the owner unless told otherwise."""

    async def run(name: str, **kwargs: Any) -> Any:
        kwargs.setdefault("user_id", guild.owner_id)
        kwargs.setdefault("channel_id", general.id)
        return await people.run_command(name, **kwargs)

    return run

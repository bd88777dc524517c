"""A client whose calls are kept instead of sent."""

from __future__ import annotations

import pytest

from app.adapters.discord.rest import DiscordRest
from app.settings import Settings

APPLICATION = 11


class Recorder:
    """Takes the place of the sender and keeps the calls."""

    def __init__(self) -> None:
        self.calls = []

    async def send(self, call):
        self.calls.append(call)

    @property
    def last(self):
        return self.calls[-1]


@pytest.fixture
def sent() -> Recorder:
    return Recorder()


@pytest.fixture
def rest(sent) -> DiscordRest:
    settings = Settings.from_environment({"DISCORD_TOKEN": "t", "DISCORD_APPLICATION_ID": str(APPLICATION)})
    return DiscordRest(settings, sent)

"""Every command of the manifest, run in several languages through the real web application and a job worker.

The sandbox stands in for Discord: it signs, checks the options like a client, judges the replies and does what the
commands ask for. Required options are filled in by their type.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from redis.asyncio import Redis

from app.catalog import FEATURES
from app.cli.commands import current_manifest
from app.jobs.queue import STREAM
from app.locale.catalogue import SOURCE, shipped
from app.settings import Settings
from sandbox.instance import Sandbox
from sandbox.interactions.outcome import Outcome, outcome_of
from sandbox.interactions.people import People
from sandbox.world import seed
from tests.fixtures.job_process import open_job_worker
from tests.fixtures.languages import Languages, shown
from tests.fixtures.sandbox import ServeSandbox, named, role_id
from tests.fixtures.web import OpenWeb

MANIFEST = list(current_manifest().commands)
STRINGS = {
    "duration": "10m",
    "reason": "because of the test",
    "text": "a remark",
    "listed": "zorgblat",
    "pattern": "zorg+blat",
    "users": "{user}",
}
"""Values of free texts by the option's name."""
FILE = {"filename": "list.txt", "text": "zorgblat.example\n"}
LATER = ("rule domains remove", "rule remove", "unban", "untimeout")
"""What others need to be there, or to have happened, in this order at the end."""


@dataclass(frozen=True)
class Leaf:
    """A command that can be invoked, as a person names it."""

    type: int
    path: str
    options: tuple[dict[str, Any], ...]

    @property
    def makes_a_rule(self) -> bool:
        return self.path.startswith("rule ") and any(
            option["name"] == "consequence" and option.get("required") for option in self.options
        )


def leaves() -> Iterator[Leaf]:
    def walk(type_: int, node: dict[str, Any], names: tuple[str, ...]) -> Iterator[Leaf]:
        options = node.get("options", [])
        inner = [option for option in options if option["type"] in {1, 2}]
        for option in inner:
            yield from walk(type_, option, (*names, option["name"]))
        if not inner:
            yield Leaf(type_, " ".join(names), tuple(options))

    for command in MANIFEST:
        yield from walk(command.get("type", 1), command, (command["name"],))


LEAVES = sorted(leaves(), key=lambda leaf: LATER.index(leaf.path) if leaf.path in LATER else -1)


class Visitor:
    """The owner of a guild, who tries everything in one language after the other."""

    def __init__(self, sandbox: Sandbox, redis: Redis) -> None:
        self.world, self.people = sandbox.world, People(sandbox.interactions)
        self._interactions, self._redis = sandbox.interactions, redis
        self.guild = next(iter(self.world.guilds.values()))
        self.channel = named(self.world, self.guild, "general")
        self._names = itertools.count(1)
        self._sanctioned: dict[str, str] = {}

    async def run(self, leaf: Leaf, locale: str) -> Outcome:
        message = self.world.post_message(self.channel.id, seed.JONAS, content="something to look at")
        target = {2: seed.JONAS, 3: message.id}.get(leaf.type)
        options = {
            option["name"]: self._value(leaf, option, locale)
            for option in leaf.options
            if option.get("required")
        }
        outcome = await self.people.run_command(
            leaf.path,
            user_id=seed.MAYA,
            channel_id=self.channel.id,
            type=leaf.type,
            options=options,
            target_id=target,
            locale=locale,
        )
        if outcome.response != "deferred_message":
            return outcome
        async with asyncio.timeout(60):
            while await self._redis.xlen(STREAM):  # the job's entry goes when its answer is there
                await asyncio.sleep(0.01)
        invocation = self._interactions.invocations.by_id(int(outcome.interaction_id))
        assert invocation is not None
        return outcome_of(self.world, invocation)

    async def complete(self, leaf: Leaf, option: str, locale: str) -> Outcome:
        return await self.people.autocomplete(
            leaf.path, user_id=seed.MAYA, channel_id=self.channel.id, focused=option, locale=locale
        )

    def _value(self, leaf: Leaf, option: dict[str, Any], locale: str) -> Any:
        if choices := option.get("choices"):
            return choices[0]["value"]
        match option["type"]:
            case 3 if option["name"] == "name":
                made = (
                    leaf.path
                    if leaf.makes_a_rule
                    else "rule links"
                    if "domains" in leaf.path
                    else "rule words"
                )
                return f"{made.split()[1]} {locale}"
            case 3:
                return STRINGS[option["name"]].format(user=f"<@{self._somebody(leaf)}>")
            case 4 | 10:
                return option.get("min_value", 1)
            case 5:
                return True
            case 6:
                return self._somebody(leaf)
            case 7:
                return str(self.channel.id)
            case 8:
                return str(role_id(self.guild, "Bookworm"))
            case 11:
                return FILE
        raise AssertionError(f"{leaf.path}: no value for {option}")

    def _somebody(self, leaf: Leaf) -> str:
        """A member of this command's own; who was sanctioned for what lifts a sanction."""
        if leaf.path.startswith("un"):
            return self._sanctioned[leaf.path.removeprefix("un")]
        user = self.world.create_user(f"visitor{next(self._names)}")
        self.world.join_member(self.guild.id, user.id)
        self._sanctioned[leaf.path] = str(user.id)
        return str(user.id)


@pytest.fixture
async def visitor(
    serve_sandbox: ServeSandbox, open_web: OpenWeb, web_environment: dict[str, str], redis: Redis
) -> AsyncIterator[Visitor]:
    async with serve_sandbox(limits_scale=0, global_limit=0) as sandbox:
        sandbox.world.overwrite_commands(None, MANIFEST)
        application = sandbox.world.application
        environment = {
            "DISCORD_TOKEN": application.token,
            "DISCORD_APPLICATION_ID": str(application.id),
            "DISCORD_PUBLIC_KEY": application.public_key,
            "DISCORD_API_BASE": f"{sandbox.settings.http_url}/api/v10",
            "LIMIT_USER": "off",
            "LIMIT_USER_COMMAND": "off",
            "LIMIT_GUILD": "off",
        }
        settings = Settings.from_environment(web_environment | environment)
        async with (
            open_web(features=FEATURES, **environment) as web,
            open_job_worker(settings, features=FEATURES) as (worker, _),
        ):
            stop = asyncio.Event()
            working = asyncio.create_task(worker.run(stop, grace=1))
            await sandbox.interactions.endpoint.save_interactions_url(f"{web.url}/interactions")
            yield Visitor(sandbox, redis)
            stop.set()
            await working


def complaints(outcome: Outcome, locale: str, languages: Languages) -> Iterator[str]:
    """What is wrong with how a command was answered."""
    if outcome.error is not None:
        yield f"{outcome.error.reason} {outcome.error.problems}"
    if outcome.state != "answered" or outcome.loading:
        yield f"is {outcome.state}, loading: {outcome.loading}"
    text = shown(outcome.modal or outcome.message or outcome.reply)
    if re.search(r"\{\w+\}", text):
        yield f"a placeholder is left: {text}"
    if re.search(r"`[0-9a-f]{8}`", text):
        yield f"an incident: {text}"
    if not languages.belongs(text, locale):
        yield f"nothing of the catalogue in {text!r}"
    if foreign := languages.foreign(text, locale):
        yield f"{foreign} in {text!r}"


async def test_every_command_is_answered_in_the_persons_language(
    visitor: Visitor, caplog: pytest.LogCaptureFixture
) -> None:
    """All in English and in German; each also in one of the others."""
    languages, wrong, others = Languages(shipped()), list[str](), sorted({*shipped()} - {"de"})
    rounds = [(locale, LEAVES) for locale in (SOURCE, "de")]
    rounds += [(locale, LEAVES[number :: len(others)]) for number, locale in enumerate(others)]
    with caplog.at_level(logging.ERROR, "app"):
        for locale, leaves_ in rounds:
            for leaf in leaves_:
                outcome = await visitor.run(leaf, locale)
                wrong += [f"/{leaf.path} in {locale}: {c}" for c in complaints(outcome, locale, languages)]
                for option in leaf.options:
                    if option.get("autocomplete"):
                        completed = await visitor.complete(leaf, option["name"], locale)
                        if completed.state != "answered" or completed.choices is None:
                            wrong.append(f"/{leaf.path} in {locale}: {option['name']}: {completed}")
    wrong += [
        f"{record.getMessage()} {record.exc_text}"
        for record in caplog.records
        if record.levelno >= logging.ERROR
    ]
    assert not wrong, "\n".join(wrong)

"""A modal from its opening to its handler, and the way of one that is refused."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, ClassVar

import orjson
import pytest
from pydantic import Field

from app.interactions.context import Submit
from app.interactions.custom_id import Bound, CustomIds
from app.interactions.discovery import Declarations
from app.interactions.dispatch import Dispatcher
from app.interactions.errors import DeclarationError
from app.interactions.interaction import parse_interaction
from app.interactions.modal_fields import TextField
from app.interactions.modal_schema import Form
from app.interactions.modals import Drafts, correct, modal
from app.interactions.permissions import NoGuildRoles
from app.interactions.replies import Reply
from app.keyring import Keyring
from app.locale.catalogue import Catalogue
from app.locale.text import t
from app.snowflake import GuildId, UserId

NOW = datetime(2028, 2, 29, 12, 0, tzinfo=UTC)
GUILD = GuildId(822222222222222222)
USER = UserId(833333333333333333)
ids = itertools.count(900000000000000000)


class Appeal(Form):
    title: ClassVar = t("Appeal a decision")
    reason: Annotated[str, TextField(t("Why?")), Field(min_length=10)]


seen: list[tuple[int, str]] = []


@modal("test.appeal", ttl=timedelta(hours=1), single_use=True)
async def appeal(submit: Submit, case: int, form: Appeal) -> Reply:
    seen.append((case, form.reason))
    return Reply.private("thanks")


class MemoryDrafts:
    def __init__(self) -> None:
        self.kept: dict[int, bytes] = {}
        self.reachable = True

    async def keep(self, draft: bytes) -> int | None:
        if not self.reachable:
            return None
        self.kept[len(self.kept)] = draft
        return len(self.kept) - 1

    async def find(self, key: int) -> bytes | None:
        return self.kept.get(key)


class OnceClaims:
    def __init__(self) -> None:
        self.claimed: set[str] = set()

    async def claim(self, key: str, *, until: datetime) -> bool:
        fresh = key not in self.claimed
        self.claimed.add(key)
        return fresh


class NoFlags:
    async def enabled(self, guild: Any, flag: str) -> bool:
        return False


class Bot:
    """A dispatcher with one modal, and what Discord would send it."""

    def __init__(self) -> None:
        self.drafts, self.now = MemoryDrafts(), NOW
        self.ids = CustomIds(Keyring.new(), 811111111111111111, lambda: self.now)
        self.declarations = Declarations.of([appeal, correct])
        self.dispatcher = Dispatcher(
            self.declarations,
            {Drafts: self.drafts},
            custom_ids=self.ids,
            catalogue=Catalogue.load(),
            claims=OnceClaims(),
            roles=NoGuildRoles(),
            flags=NoFlags(),
            clock=lambda: self.now,
        )

    def opened(self) -> str:
        return self.ids.sign(appeal.open(case=7).target, guild=GUILD, user=USER)

    async def submit(self, custom_id: str, reason: str, **more: Any) -> dict[str, Any]:
        leaf = {"type": 4, "id": 2, "custom_id": "reason", "value": reason}
        components = [{"type": 18, "id": 1, "component": leaf}]
        return await self.send(5, {"custom_id": custom_id, "components": components}, **more)

    async def press(self, custom_id: str, **more: Any) -> dict[str, Any]:
        return await self.send(3, {"custom_id": custom_id, "component_type": 2}, **more)

    async def send(self, kind: int, data: dict[str, Any], user: int = USER, **more: Any) -> dict[str, Any]:
        raw = {
            "type": kind, "id": str(next(ids)), "application_id": "811111111111111111", "token": "x",
            "guild_id": str(GUILD), "channel_id": "1", "locale": "en-US", "data": data,
            "member": {"user": {"id": str(user)}, "roles": [], "permissions": "0"}, **more,
        }  # fmt: skip
        interaction = parse_interaction(orjson.dumps(raw))
        answer = await self.dispatcher.handle(self.dispatcher.route(interaction), interaction)
        payload: dict[str, Any] = orjson.loads(answer.body)
        return payload


@pytest.fixture
def bot() -> Bot:
    seen.clear()
    return Bot()


def button_of(reply: dict[str, Any]) -> str:
    custom_id: str = reply["data"]["components"][0]["components"][0]["custom_id"]
    return custom_id


def message_of(reply: dict[str, Any]) -> dict[str, Any]:
    """Return the message that Discord makes of a reply."""
    return {"id": "55", "channel_id": "1", **reply["data"]}


async def test_a_good_submission_reaches_the_handler(bot: Bot) -> None:
    reply = await bot.submit(bot.opened(), "I did nothing wrong")
    assert reply["data"]["content"] == "thanks"
    assert seen == [(7, "I did nothing wrong")]


async def test_a_refused_submission_can_be_corrected_without_retyping(
    bot: Bot, assert_discord_valid: Callable[[str, Any], None]
) -> None:
    refused = await bot.submit(bot.opened(), "short")
    assert_discord_valid("create_interaction_response", refused)
    assert refused["data"]["flags"] == 64
    assert "**Why?**: Write at least 10 characters." in refused["data"]["content"]
    assert not seen

    again = await bot.press(button_of(refused), message=message_of(refused))
    assert_discord_valid("create_interaction_response", again)
    assert again["type"] == 9
    assert again["data"]["components"][0]["component"]["value"] == "short"

    accepted = await bot.submit(again["data"]["custom_id"], "long enough now", message=message_of(refused))
    assert accepted["type"] == 7
    assert accepted["data"]["content"] == "thanks"
    assert accepted["data"]["components"] == []
    assert seen == [(7, "long enough now")]


async def test_a_second_refusal_replaces_the_first(bot: Bot) -> None:
    refused = await bot.submit(bot.opened(), "short")
    again = await bot.press(button_of(refused), message=message_of(refused))
    refused = await bot.submit(again["data"]["custom_id"], "shorter", message=message_of(refused))
    assert refused["type"] == 7
    again = await bot.press(button_of(refused), message=message_of(refused))
    assert again["data"]["components"][0]["component"]["value"] == "shorter"


async def test_a_refusal_does_not_touch_another_message(bot: Bot) -> None:
    public = {"id": "55", "channel_id": "1", "flags": 0, "components": []}
    refused = await bot.submit(bot.opened(), "short", message=public)
    assert refused["type"] == 4


async def test_the_correction_is_for_its_author_only(bot: Bot) -> None:
    refused = await bot.submit(bot.opened(), "short")
    reply = await bot.press(button_of(refused), user=USER + 1, message=message_of(refused))
    assert f"<@{USER}> only" in reply["data"]["content"]


async def test_entries_that_are_gone_are_said_to_be_gone(bot: Bot) -> None:
    refused = await bot.submit(bot.opened(), "short")
    bot.drafts.kept.clear()
    reply = await bot.press(button_of(refused), message=message_of(refused))
    assert "start again" in reply["data"]["content"]


async def test_entries_that_cannot_be_kept_are_repeated(bot: Bot) -> None:
    bot.drafts.reachable = False
    reply = await bot.submit(bot.opened(), "my\nwords")
    assert reply["data"]["content"].endswith("> my\n> words")
    assert "components" not in reply["data"]


async def test_an_expired_modal_says_so(bot: Bot) -> None:
    custom_id = bot.opened()
    bot.now += timedelta(hours=1)
    reply = await bot.submit(custom_id, "I did nothing wrong")
    assert "expired" in reply["data"]["content"]
    assert not seen


async def test_a_single_use_modal_counts_only_when_it_is_accepted(bot: Bot) -> None:
    custom_id = bot.opened()
    await bot.submit(custom_id, "short")
    await bot.submit(custom_id, "I did nothing wrong")
    reply = await bot.submit(custom_id, "and once more with feeling")
    assert "used already" in reply["data"]["content"]
    assert len(seen) == 1


async def test_a_button_cannot_pose_as_a_modal(bot: Bot) -> None:
    reply = await bot.press(bot.opened(), message={"id": "55", "channel_id": "1"})
    assert "not made by me" in reply["data"]["content"]


def test_the_last_parameter_must_be_the_form() -> None:
    with pytest.raises(DeclarationError, match="last positional parameter"):

        @modal("test.wrong", bound=Bound.ANYONE)
        async def wrong(submit: Submit, form: Appeal, case: int) -> Reply:
            return Reply.private("x")

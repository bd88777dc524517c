from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from app.interactions.components import Button
from app.interactions.context import Call, Click
from app.interactions.custom_id import Bound, CustomIds
from app.interactions.declare import (
    button,
    slash,
)
from app.interactions.replies import Reply
from app.keyring import Keyring
from app.snowflake import GuildId, RoleId, UserId
from tests.fixtures.interactions import (
    APPLICATION,
    GUILD,
    NOW,
    USER,
    Bot,
    command,
    member,
    message,
    payload,
    press,
)

EPHEMERAL = 64


@button("case.undo", bound=Bound.USER, ttl=timedelta(hours=1))
async def undo(click: Click, case: int) -> Reply:
    return Reply.update(f"case {case} undone by {click.user.id}")


@button("once", single_use=True)
async def once(click: Click) -> Reply:
    return Reply.private("used")


@button("case.review", bound=Bound.MODERATORS)
async def review(click: Click) -> Reply:
    return Reply.nothing()


@button("pick")
async def pick(click: Click) -> Reply:
    return Reply.private(" ".join(click.values))


def bot(**options: Any) -> Bot:
    return Bot(undo, once, review, pick, **options)


def text(answer: dict[str, Any]) -> str:
    found: str = answer["data"]["content"]
    return found


class Roles:
    def __init__(self, granted: dict[str, set[int]], owner: int = 0) -> None:
        self._granted, self._owner = granted, owner

    async def granted(self, guild: GuildId, grant: str) -> frozenset[RoleId]:
        assert guild == GUILD
        return frozenset(RoleId(role) for role in self._granted.get(grant, ()))

    async def owner(self, guild: GuildId) -> UserId | None:
        return UserId(self._owner)


class Pressing:
    """Makes buttons' ids as a rendered reply would."""

    def __init__(self, made: Bot) -> None:
        self.bot = made

    def id(self, component: Any, *, guild: int | None = GUILD, owner: int = USER, **arguments: Any) -> str:
        place = None if guild is None else GuildId(guild)
        return self.bot.custom_ids.sign(component.to(**arguments), guild=place, user=UserId(owner))


@pytest.fixture
def pressing() -> Pressing:
    return Pressing(bot())


async def test_a_button_carries_its_arguments(pressing: Pressing, assert_discord_valid: Any) -> None:
    answer = await pressing.bot.send(press(pressing.id(undo, case=7)))
    assert answer["type"] == 7
    assert text(answer) == f"case 7 undone by {USER}"
    assert answer["data"]["components"] == [], "an update replaces the whole message"
    assert_discord_valid("create_interaction_response", answer)


async def test_a_select_gives_its_values(pressing: Pressing) -> None:
    assert text(await pressing.bot.send(press(pressing.id(pick), values=["a", "b"]))) == "a b"


async def test_another_person_is_refused_and_the_button_stays(pressing: Pressing) -> None:
    raw = press(pressing.id(undo, case=7), by=member(5))
    response = await pressing.bot.respond(raw)
    assert response.ephemeral
    assert b"is for <@" in response.body
    assert response.disable is None


async def test_an_expired_button_says_so_and_is_disabled(pressing: Pressing) -> None:
    custom_id, other = pressing.id(undo, case=7), pressing.id(pick)
    row = {
        "type": 1,
        "components": [{"type": 2, "style": 2, "label": "x", "custom_id": i} for i in (custom_id, other)],
    }
    pressing.bot.now += timedelta(hours=2)
    response = await pressing.bot.respond(press(custom_id, on=message([row])))
    assert response.ephemeral
    assert b"expired" in response.body
    assert response.disable is not None
    assert [part.get("disabled", False) for part in response.disable.components[0]["components"]] == [
        True,
        False,
    ]
    assert response.disable.channel_id
    assert response.disable.message_id


@pytest.mark.parametrize("custom_id", ["", "x", "vote:yes", "1" + "A" * 99, "é" * 20, "1aa" + "=" * 40])
async def test_an_id_that_we_did_not_make_is_refused_and_disabled(
    pressing: Pressing, custom_id: str, caplog: pytest.LogCaptureFixture
) -> None:
    response = await pressing.bot.respond(press(custom_id))
    assert b"not made by me" in response.body
    assert response.ephemeral
    assert response.disable is not None
    assert caplog.records == []


async def test_an_id_of_a_retired_key_is_refused(pressing: Pressing) -> None:
    custom_id = pressing.id(pick)
    later = bot(custom_ids=CustomIds(Keyring.parse("k2:" + "22" * 32), APPLICATION, lambda: NOW))
    response = await later.respond(press(custom_id))
    assert b"not made by me" in response.body
    assert response.disable is not None


async def test_an_id_of_an_older_release_says_so() -> None:
    custom_id = Pressing(bot()).id(pick)
    response = await Bot(once).respond(press(custom_id))
    assert b"another version" in response.body
    assert response.disable is not None


async def test_a_single_use_button_works_once(pressing: Pressing) -> None:
    custom_id = pressing.id(once)
    assert text(await pressing.bot.send(press(custom_id))) == "used"
    response = await pressing.bot.respond(press(custom_id))
    assert b"only once" in response.body
    assert response.disable is not None


async def test_moderator_buttons_ask_for_moderators(pressing: Pressing) -> None:
    custom_id = pressing.id(review)
    assert await pressing.bot.send(press(custom_id, by=member(permissions=1 << 40))) == {"type": 6}
    assert "for moderators only" in text(await pressing.bot.send(press(custom_id)))
    roles = Roles({"moderator": {9}})
    granted = Pressing(bot(roles=roles))
    assert await granted.bot.send(press(granted.id(review), by=member(roles=(9,)))) == {"type": 6}


async def test_a_button_of_another_server_is_foreign(pressing: Pressing) -> None:
    response = await pressing.bot.respond(press(pressing.id(pick, guild=5)))
    assert b"another server" in response.body
    assert response.disable is None


async def test_an_ephemeral_message_is_not_edited(pressing: Pressing) -> None:
    row = {"type": 1, "components": [{"type": 2, "style": 2, "label": "x", "custom_id": "x"}]}
    assert (await pressing.bot.respond(press("x", on=message([row], flags=EPHEMERAL)))).disable is None


async def test_a_button_id_in_a_form_is_forged(pressing: Pressing) -> None:
    raw = payload(5, {"custom_id": pressing.id(pick), "components": []}, message=message())
    assert "not made by me" in text(await pressing.bot.send(raw))


async def test_dead_ids_are_found_in_sections_too(pressing: Pressing) -> None:
    accessory = {"type": 2, "style": 2, "label": "x", "custom_id": "dead"}
    container = {
        "type": 17,
        "components": [{"type": 9, "components": [{"type": 10, "content": "x"}], "accessory": accessory}],
    }
    response = await pressing.bot.respond(press("dead", on=message([container], flags=32768)))
    assert response.disable is not None
    assert response.disable.components[0]["components"][0]["accessory"]["disabled"] is True
    assert "disabled" not in accessory, "the payload is left as it was"


async def test_replies_sign_buttons_for_whom_they_answer() -> None:
    @slash("ask", "Ask")
    async def ask(call: Call) -> Reply:
        return Reply.private("Sure?", Button(undo.to(case=3), "Undo"))

    made = Bot(ask, undo)
    answer = await made.send(command("ask"))
    custom_id = answer["data"]["components"][0]["components"][0]["custom_id"]
    assert text(await made.send(press(custom_id))) == f"case 3 undone by {USER}"
    assert "is for" in text(await made.send(press(custom_id, by=member(5))))

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from app.adapters.discord.errors import NotFound
from app.errors import DiscordUnreachable
from app.features.moderation.authority import Authority, Protection, Refusal
from app.features.moderation.directory import Directory
from app.features.moderation.models import Sanction
from app.interactions.permissions import Permission
from app.snowflake import GuildId, RoleId, UserId

GUILD = GuildId(100)
OWNER, ADMIN, MOD, HIGH, MEMBER, OTHER, BOT, OURSELVES, GONE, PEER = map(UserId, range(1, 11))
SENIOR = UserId(20)

ROLES = {
    100: (0, Permission.SEND_MESSAGES),  # @everyone
    201: (50, Permission.ADMINISTRATOR),
    202: (
        30,
        Permission.MODERATE_MEMBERS
        | Permission.KICK_MEMBERS
        | Permission.BAN_MEMBERS
        | Permission.MANAGE_MESSAGES,
    ),
    203: (60, Permission(0)),
    204: (
        40,
        Permission.MODERATE_MEMBERS
        | Permission.KICK_MEMBERS
        | Permission.BAN_MEMBERS
        | Permission.MANAGE_MESSAGES,
    ),
    205: (
        35,
        Permission.MODERATE_MEMBERS
        | Permission.KICK_MEMBERS
        | Permission.BAN_MEMBERS
        | Permission.MANAGE_MESSAGES,
    ),
}
HELD = {
    OWNER: [], ADMIN: [201], MOD: [202], HIGH: [203], MEMBER: [], OTHER: [], BOT: [], OURSELVES: [204],
    PEER: [202], SENIOR: [205],
}  # fmt: skip


class Rest:
    """Answers what Discord answers; `fails` makes lookups fail or hang."""

    application_id = int(OURSELVES)

    def __init__(self, fails: str = "") -> None:
        self.fails = fails

    async def _trouble(self, what: str) -> None:
        if self.fails == f"{what} fails":
            raise DiscordUnreachable("no answer")
        if self.fails == f"{what} hangs":
            raise TimeoutError
        if self.fails == f"{what} is nonsense":
            await asyncio.sleep(0)

    async def get_guild(self, guild: int, **_: Any) -> dict[str, Any]:
        await self._trouble("guild")
        if self.fails == "guild is nonsense":
            return {"owner_id": "1", "roles": [{"id": "x"}]}
        roles = [
            {"id": str(i), "position": p, "permissions": str(int(bits))} for i, (p, bits) in ROLES.items()
        ]
        return {"id": str(guild), "name": "g", "owner_id": str(OWNER), "roles": roles}

    async def get_guild_member(self, guild: int, user: int, **_: Any) -> dict[str, Any]:
        await self._trouble("member")
        if self.fails == "member is nonsense":
            return {"roles": None}
        if user not in HELD:
            raise NotFound("GET member", 404, 10007, "Unknown Member", {})
        return {
            "user": {"id": str(user), "bot": user in (BOT, OURSELVES)},
            "roles": [str(r) for r in HELD[UserId(user)]],
        }


def authority(fails: str = "") -> Authority:
    return Authority(Directory(Rest(fails)))  # type: ignore[arg-type]


PUNISH = [Sanction.WARN, Sanction.DELETE, Sanction.TIMEOUT, Sanction.KICK, Sanction.BAN]

AUTOMATIC = {
    OWNER: Refusal.OWNER,
    ADMIN: Refusal.ADMINISTRATOR,
    MOD: Refusal.MODERATOR,
    MEMBER: None,
    BOT: Refusal.BOT,
    OURSELVES: Refusal.OURSELVES,
}


@pytest.mark.parametrize("sanction", PUNISH)
@pytest.mark.parametrize(("target", "answer"), AUTOMATIC.items())
async def test_automatics_spare_who_is_above_them(
    sanction: Sanction, target: UserId, answer: Refusal | None
) -> None:
    found = await authority().check(GUILD, target, sanction, by=None, protection=Protection())
    assert found is answer


@pytest.mark.parametrize("sanction", PUNISH)
@pytest.mark.parametrize("target", [OWNER, ADMIN, MOD, MEMBER, BOT, OURSELVES, GONE])
@pytest.mark.parametrize("actor", [None, OWNER, ADMIN, MOD, MEMBER])
@pytest.mark.parametrize(
    "fails", [f"{w} {h}" for w in ("guild", "member") for h in ("fails", "hangs", "is nonsense")]
)
async def test_a_failed_lookup_means_no(
    sanction: Sanction, target: UserId, actor: UserId | None, fails: str
) -> None:
    found = await authority(fails).check(GUILD, target, sanction, by=actor, protection=Protection())
    assert found is Refusal.UNKNOWN


BY_MODERATOR = {
    OWNER: Refusal.OWNER,
    ADMIN: Refusal.ADMINISTRATOR,
    PEER: Refusal.HIGHER_ROLE,
    HIGH: Refusal.HIGHER_ROLE,
    SENIOR: Refusal.HIGHER_ROLE,
    MOD: Refusal.SELF,
    MEMBER: None,
    BOT: None,
    OURSELVES: Refusal.OURSELVES,
}


@pytest.mark.parametrize("sanction", PUNISH)
@pytest.mark.parametrize(("target", "answer"), BY_MODERATOR.items())
async def test_moderators_act_below_themselves(
    sanction: Sanction, target: UserId, answer: Refusal | None
) -> None:
    assert await authority().check(GUILD, target, sanction, by=MOD, protection=Protection()) is answer


@pytest.mark.parametrize("sanction", PUNISH)
async def test_a_member_may_do_nothing(sanction: Sanction) -> None:
    found = await authority().check(GUILD, OTHER, sanction, by=MEMBER, protection=Protection())
    assert found is Refusal.ACTOR_LACKS_PERMISSION


@pytest.mark.parametrize(
    ("sanction", "answer"),
    [(s, Refusal.WE_RANK_TOO_LOW) for s in (Sanction.TIMEOUT, Sanction.KICK, Sanction.BAN)]
    + [(Sanction.DELETE, None), (Sanction.WARN, None)],
)
async def test_our_own_rank_limits_what_the_owner_may_order(
    sanction: Sanction, answer: Refusal | None
) -> None:
    assert await authority().check(GUILD, HIGH, sanction, by=OWNER, protection=Protection()) is answer


async def test_who_left_can_be_banned_and_nothing_else() -> None:
    check = authority().check
    assert await check(GUILD, GONE, Sanction.BAN, by=MOD, protection=Protection()) is None
    assert await check(GUILD, GONE, Sanction.TIMEOUT, by=MOD, protection=Protection()) is Refusal.NOT_A_MEMBER


async def test_a_guild_may_have_bots_moderated_and_name_moderator_roles() -> None:
    check = authority().check
    assert await check(GUILD, BOT, Sanction.BAN, by=None, protection=Protection(moderate_bots=True)) is None
    named = Protection(moderator_roles=frozenset({RoleId(203)}))
    assert await check(GUILD, HIGH, Sanction.WARN, by=None, protection=named) is Refusal.MODERATOR


@pytest.mark.parametrize("told", [True, False], ids=["by an event", "looked up"])
async def test_a_role_that_is_younger_than_what_is_remembered_protects(
    monkeypatch: pytest.MonkeyPatch, *, told: bool
) -> None:
    asked = authority()
    assert await asked.check(GUILD, OTHER, Sanction.BAN, by=None, protection=Protection()) is None
    monkeypatch.setitem(ROLES, 206, (70, Permission.ADMINISTRATOR))
    monkeypatch.setitem(HELD, MEMBER, [206])
    inquiry = await asked.inquire(
        GUILD, MEMBER, by=None, protection=Protection(), roles=(RoleId(206),) if told else None
    )
    assert inquiry.refusal(Sanction.BAN) is Refusal.ADMINISTRATOR


def test_every_refusal_has_words() -> None:
    assert all(str(refusal.text) for refusal in Refusal)

"""Custom ids: nothing but what we made, for whom we made it, while it lives."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Annotated, Any

import pytest
from annotated_types import Interval
from hypothesis import assume, given
from hypothesis import strategies as st

from app.interactions.arguments import Arguments, Size, UnsupportedType
from app.interactions.custom_id import (
    MAX_CHARACTERS,
    Bound,
    CustomIdError,
    CustomIds,
    Expired,
    Foreign,
    Forged,
    Route,
    Routes,
    UnknownRoute,
)
from app.interactions.errors import DeclarationError
from app.keyring import Keyring
from app.snowflake import GuildId, RoleId, UserId

NOW = datetime(2028, 2, 29, 12, 0, tzinfo=UTC)
APPLICATION = 811111111111111111
GUILD = GuildId(822222222222222222)
USER = UserId(833333333333333333)
KEYS = Keyring.parse("k2:" + "22" * 32 + ",k1:" + "11" * 32)
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=+/ .\n\0é"

snowflakes = st.integers(0, 2**64 - 1)
guilds = st.none() | snowflakes


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


TYPES: dict[str, tuple[Any, st.SearchStrategy[Any]]] = {
    "flag": (bool, st.booleans()),
    "colour": (Colour, st.sampled_from(Colour)),
    "number": (int, st.integers(-(2**63), 2**63 - 1)),
    "page": (Annotated[int, Interval(ge=1, le=200)], st.integers(1, 200)),
    "delta": (Annotated[int, Interval(ge=-300, le=300)], st.integers(-300, 300)),
    "user": (UserId, snowflakes),
    "name": (Annotated[str, Size(8)], st.text(max_size=8).filter(lambda s: len(s.encode()) <= 8)),
    "maybe": (UserId | None, st.none() | snowflakes),
}


def custom_ids(keys: Keyring = KEYS, application: int = APPLICATION, now: datetime = NOW) -> CustomIds:
    return CustomIds(keys, application, lambda: now)


def route(bound: Bound = Bound.ANYONE, *, single_use: bool = False, **annotations: Any) -> Route:
    return Route("mod.undo", Arguments.of(annotations), timedelta(hours=1), bound, single_use)


UNDO = route(Bound.USER, case=int)
ROUTES = Routes([UNDO])
AN_ID = custom_ids().sign(UNDO.to(case=7), guild=GUILD, user=USER)


@st.composite
def routes_with_values(draw: st.DrawFn) -> tuple[Route, dict[str, Any]]:
    names = draw(st.lists(st.sampled_from(sorted(TYPES)), max_size=3, unique=True))
    made = route(
        draw(st.sampled_from(Bound)), single_use=draw(st.booleans()), **{n: TYPES[n][0] for n in names}
    )
    return made, {name: draw(TYPES[name][1]) for name in names}


@given(routes_with_values(), guilds, snowflakes)
def test_what_was_packed_comes_out(made: tuple[Route, dict[str, Any]], guild: Any, user: Any) -> None:
    declared, values = made
    bound_to = user if declared.bound in (Bound.USER, Bound.ROLE) else None
    text = custom_ids().sign(declared.to(bound_to=bound_to, **values), guild=guild, user=user)
    assert len(text) <= MAX_CHARACTERS
    sealed = custom_ids().open(text, guild=guild, routes=Routes([declared]))
    opened = sealed.admit(user, roles=[user], moderator=True)
    assert opened.arguments == values
    assert opened.expires_at == NOW + timedelta(hours=1)
    assert (opened.claim is not None) is declared.single_use
    assert opened.again() == declared.to(bound_to=bound_to, **values)


def test_four_snowflakes_bound_to_a_user_in_a_guild_fill_exactly_100_characters() -> None:
    declared = route(Bound.USER, a=UserId, b=UserId, c=UserId, d=UserId)
    target = declared.to(a=2**64 - 1, b=2**64 - 1, c=2**64 - 1, d=2**64 - 1)
    assert len(custom_ids().sign(target, guild=GuildId(2**64 - 1), user=UserId(2**64 - 1))) == 100


def test_three_snowflakes_fit_besides_single_use() -> None:
    route(Bound.USER, single_use=True, a=UserId, b=UserId, c=UserId)


def test_arguments_that_could_not_fit_are_refused_when_declared() -> None:
    with pytest.raises(DeclarationError, match=r"mod\.undo.*33 bytes, but only 32 fit.*100 characters"):
        route(Bound.USER, a=UserId, b=UserId, c=UserId, d=UserId, e=bool)
    with pytest.raises(DeclarationError, match="29 bytes, but only 28"):
        route(Bound.ROLE, single_use=True, a=UserId, b=UserId, c=UserId, d=Annotated[str, Size(4)])


@given(st.data())
def test_any_changed_character_is_refused(data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(AN_ID) - 1))
    character = data.draw(st.sampled_from(ALPHABET))
    assume(character != AN_ID[place])
    with pytest.raises(Forged):
        custom_ids().open(AN_ID[:place] + character + AN_ID[place + 1 :], guild=GUILD, routes=ROUTES)


@given(st.data())
def test_truncated_swapped_doubled_and_foreign_texts_are_refused(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(["cut", "swap", "insert", "case", "any"]))
    i, j = sorted((data.draw(st.integers(0, len(AN_ID) - 1)), data.draw(st.integers(0, len(AN_ID) - 1))))
    match kind:
        case "cut":
            text = AN_ID[:i] + AN_ID[j:]
        case "swap":
            letters = list(AN_ID)
            letters[i], letters[j] = letters[j], letters[i]
            text = "".join(letters)
        case "insert":
            text = AN_ID[:i] + data.draw(st.sampled_from(ALPHABET)) + AN_ID[i:]
        case "case":
            text = AN_ID[:i] + AN_ID[i:j].swapcase() + AN_ID[j:]
        case _:
            text = data.draw(st.text(max_size=120))
    assume(text != AN_ID)
    with pytest.raises(Forged):
        custom_ids().open(text, guild=GUILD, routes=ROUTES)


def test_other_spellings_of_the_same_bytes_are_refused() -> None:
    """The last characters of body and MAC have spare bits, which base64 ignores."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    for place in (len(AN_ID) - 1, len(AN_ID) - 23):
        for other in alphabet.replace(AN_ID[place], ""):
            with pytest.raises(Forged):
                custom_ids().open(AN_ID[:place] + other + AN_ID[place + 1 :], guild=GUILD, routes=ROUTES)
    for text in (f"{AN_ID}=", f"{AN_ID}\n", f" {AN_ID}", AN_ID[:-22] + "==" + AN_ID[-22:]):
        with pytest.raises(Forged):
            custom_ids().open(text, guild=GUILD, routes=ROUTES)


@given(snowflakes)
def test_an_id_of_another_application_is_forged(application: int) -> None:
    assume(application != APPLICATION)
    with pytest.raises(Forged):
        custom_ids(application=application).open(AN_ID, guild=GUILD, routes=ROUTES)


@given(guilds)
def test_an_id_of_another_guild_is_foreign(guild: Any) -> None:
    assume(guild != GUILD)
    with pytest.raises(Foreign, match="another server"):
        custom_ids().open(AN_ID, guild=guild, routes=ROUTES)


def test_an_id_made_in_a_direct_message_is_foreign_in_a_guild() -> None:
    text = custom_ids().sign(UNDO.to(case=7), guild=None, user=USER)
    assert custom_ids().open(text, guild=None, routes=ROUTES).admit(USER).arguments == {"case": 7}
    with pytest.raises(Foreign):
        custom_ids().open(text, guild=GUILD, routes=ROUTES)


@pytest.mark.parametrize("after", [timedelta(hours=1), timedelta(days=4000)])
def test_an_old_id_has_expired(after: timedelta) -> None:
    with pytest.raises(Expired) as caught:
        custom_ids(now=NOW + after).open(AN_ID, guild=GUILD, routes=ROUTES)
    assert caught.value.expires_at == NOW + timedelta(hours=1)


def test_an_id_lives_until_its_last_second() -> None:
    custom_ids(now=NOW + timedelta(minutes=59, seconds=59)).open(AN_ID, guild=GUILD, routes=ROUTES)


def test_an_id_of_a_user_is_not_for_others() -> None:
    sealed = custom_ids().open(AN_ID, guild=GUILD, routes=ROUTES)
    with pytest.raises(Foreign, match=f"<@{USER}> only"):
        sealed.admit(UserId(USER + 1), roles=[RoleId(USER)], moderator=True)


def test_an_id_of_a_role_is_for_its_members() -> None:
    declared = route(Bound.ROLE)
    text = custom_ids().sign(declared.to(bound_to=5), guild=GUILD, user=USER)
    sealed = custom_ids().open(text, guild=GUILD, routes=Routes([declared]))
    sealed.admit(USER, roles=[RoleId(4), RoleId(5)])
    with pytest.raises(Foreign, match="<@&5>"):
        sealed.admit(UserId(5), roles=[RoleId(4)], moderator=True)


def test_an_id_of_moderators_is_for_them() -> None:
    declared = route(Bound.MODERATORS)
    sealed = custom_ids().open(
        custom_ids().sign(declared.to(), guild=GUILD, user=None), guild=GUILD, routes=Routes([declared])
    )
    assert sealed.scope is Bound.MODERATORS
    sealed.admit(USER, moderator=True)
    with pytest.raises(Foreign, match="moderators"):
        sealed.admit(USER)


@pytest.mark.parametrize(
    "other",
    [
        Route("mod.redo", Arguments.of({"case": int})),
        Route("mod.undo", Arguments.of({"case": UserId})),
        Route("mod.undo", Arguments.of({"number": int})),
        Route("mod.undo", Arguments.of({})),
        Route("mod.undo", Arguments.of({"case": int}), version=2),
    ],
    ids=["other name", "other type", "other argument", "no arguments", "other version"],
)
def test_an_id_of_another_release_is_an_unknown_route(other: Route) -> None:
    with pytest.raises(UnknownRoute):
        custom_ids().open(AN_ID, guild=GUILD, routes=Routes([other]))


def test_ids_outlive_a_rotation_but_not_the_retirement_of_their_key() -> None:
    rotated = KEYS.rotated()
    assert [key.kid for key in rotated.keys] == ["k3", "k2", "k1"]
    fresh = custom_ids(rotated).sign(UNDO.to(case=7), guild=GUILD, user=USER)
    assert fresh != AN_ID
    for text in (AN_ID, fresh):
        assert custom_ids(rotated).open(text, guild=GUILD, routes=ROUTES).admit(USER).arguments == {"case": 7}
    with pytest.raises(Forged):
        custom_ids(rotated.without("k2")).open(AN_ID, guild=GUILD, routes=ROUTES)
    with pytest.raises(Forged):
        custom_ids(KEYS).open(fresh, guild=GUILD, routes=ROUTES)


def test_another_key_under_the_same_key_id_does_not_verify() -> None:
    with pytest.raises(Forged):
        custom_ids(Keyring.parse("k2:" + "33" * 32)).open(AN_ID, guild=GUILD, routes=ROUTES)


def test_the_same_button_has_the_same_id_on_every_replica() -> None:
    assert custom_ids().sign(UNDO.to(case=7), guild=GUILD, user=USER) == AN_ID


def test_single_use_ids_differ_each_time_and_carry_their_claim() -> None:
    declared = route(single_use=True)
    texts = {custom_ids().sign(declared.to(), guild=GUILD, user=None) for _ in range(20)}
    claims = {custom_ids().open(t, guild=GUILD, routes=Routes([declared])).admit(USER).claim for t in texts}
    assert len(texts) == len(claims) == 20


def test_nothing_inside_can_be_read() -> None:
    """Two ids that differ in one bit of one argument look unrelated."""
    other = custom_ids().sign(UNDO.to(case=6), guild=GUILD, user=USER)
    same = sum(a == b for a, b in zip(AN_ID[3:], other[3:], strict=True))
    assert same < len(AN_ID) // 4


def test_no_key_shows_in_a_representation() -> None:
    assert "22" * 8 not in f"{KEYS!r} {KEYS.keys!r} {custom_ids()!r}"


@pytest.mark.parametrize(
    "text", ["", "k1", "k1:xyz", "k1:11", "k1:" + "1" * 33, f"toolong_{'x' * 16}:{'11' * 32}"]
)
def test_unreadable_keys_are_refused_without_repeating_them(text: str) -> None:
    with pytest.raises(ValueError, match=r"kid:hex") as caught:
        Keyring.parse(text)
    assert "11111111" not in str(caught.value)


def test_two_routes_of_one_name_are_refused() -> None:
    with pytest.raises(DeclarationError, match="twice"):
        Routes([route(), route(case=int)])


@pytest.mark.parametrize(
    ("annotation", "rule"),
    [
        (str, "size"),
        (float, "cannot be packed"),
        (int | str, "union"),
        (Annotated[int, Interval(ge=0)], "ge and le"),
        (Annotated[int, Interval(ge=0, le=2**64)], "64 bits"),
        (list[int], "cannot be packed"),
    ],
)
def test_types_that_cannot_be_packed_are_refused(annotation: Any, rule: str) -> None:
    with pytest.raises(UnsupportedType, match=rf"'value'.*{rule}"):
        Arguments.of({"value": annotation})


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (UserId, -1),
        (UserId, 2**64),
        (int, 2**63),
        (bool, 2),
        (Annotated[int, Interval(ge=1, le=200)], 201),
        (Annotated[str, Size(3)], "äöü"),
        (Colour, "green"),
        (UserId, "7"),
    ],
)
def test_values_that_do_not_fit_are_refused(annotation: Any, value: Any) -> None:
    with pytest.raises(ValueError, match="'value'"):
        route(value=annotation).to(value=value)


def test_missing_and_surplus_arguments_are_refused() -> None:
    with pytest.raises(TypeError, match="case"):
        UNDO.to()
    with pytest.raises(TypeError, match="what"):
        UNDO.to(case=7, what=1)


def test_a_user_route_needs_a_user_and_a_role_route_a_role() -> None:
    with pytest.raises(ValueError, match="bound to a user"):
        custom_ids().sign(UNDO.to(case=7), guild=GUILD, user=None)
    with pytest.raises(TypeError, match="role's id"):
        route(Bound.ROLE).to()
    with pytest.raises(TypeError, match="not bound"):
        route().to(bound_to=5)


@given(st.binary(min_size=9, max_size=56))
def test_even_a_genuine_body_of_any_bytes_raises_only_our_errors(body: bytes) -> None:
    """With the key one can make bodies that `sign` never makes; opening them must not fail otherwise."""
    ids = custom_ids()
    text = ids._text(KEYS.newest, body)
    try:
        ids.open(text, guild=None, routes=Routes([UNDO])).admit(USER)
    except CustomIdError:
        pass

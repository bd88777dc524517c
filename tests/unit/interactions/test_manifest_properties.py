"""Whatever can be declared can be registered."""

from __future__ import annotations

import string
from collections.abc import Callable
from typing import Annotated, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from app.interactions.context import Call
from app.interactions.declarations import Command
from app.interactions.declare import slash
from app.interactions.options import Mentionable, Option
from app.interactions.payloads import (
    Attachment,
    Channel,
    Member,
    Role,
    User,
)
from app.interactions.registration import build_manifest
from app.interactions.registration_diff import plan
from app.interactions.replies import Reply
from tests.fixtures.registration import Languages, as_discord_answers

Check = Callable[[str, Any], None]
ENGLISH: Any = Languages()

NAMES = st.text(string.ascii_lowercase + string.digits + "-_äñ漢", min_size=1, max_size=32)
DESCRIPTIONS = st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), min_size=1, max_size=100)


@st.composite
def options(draw: st.DrawFn) -> tuple[Any, Option]:
    description = draw(DESCRIPTIONS)
    match draw(st.sampled_from(["str", "int", "float", "choices", "object"])):
        case "str":
            low = draw(st.none() | st.integers(0, 6000))
            high = draw(st.none() | st.integers(max(1, low or 1), 6000))
            return str, Option(description, min_length=low, max_length=high)
        case "int":
            low, high = sorted(draw(st.tuples(*[st.integers(-(2**53) + 1, 2**53 - 1)] * 2)))
            return int, Option(description, min_value=low, max_value=high)
        case "float":
            low, high = sorted(draw(st.tuples(*[st.floats(-(2**53), 2**53)] * 2)))
            return float, Option(description, min_value=low, max_value=high)
        case "choices":
            values = draw(
                st.lists(st.text("abc漢", min_size=1, max_size=20), min_size=1, max_size=25, unique=True)
            )
            return str, Option(description, choices=values)
        case _:
            return draw(
                st.sampled_from([bool, User, Member, Channel, Role, Mentionable, Attachment])
            ), Option(description)


@st.composite
def commands(draw: st.DrawFn) -> list[Command]:
    declared = []
    for name in draw(st.lists(NAMES, min_size=1, max_size=4, unique=True)):
        names = draw(st.lists(NAMES, max_size=6, unique=True))
        required = sorted(
            draw(st.lists(st.booleans(), min_size=len(names), max_size=len(names))), reverse=True
        )
        parameters = []
        for index, (option_name, needed) in enumerate(zip(names, required, strict=True)):
            annotation, option = draw(options())
            object.__setattr__(option, "name", option_name)
            parameters.append((f"p{index}", Annotated[annotation if needed else annotation | None, option]))
        scope: dict[str, Any] = {}
        exec(f"async def handler(call, {', '.join(name for name, _ in parameters)}): ...", scope)
        handler = scope["handler"]
        handler.__annotations__ = {"call": Call, **dict(parameters), "return": Reply}
        declared.append(slash(name, draw(DESCRIPTIONS))(handler))
    return declared


@settings(max_examples=40, deadline=None)
@given(commands())
def test_every_manifest_that_can_be_declared_is_valid(
    assert_discord_valid: Check, declared: list[Command]
) -> None:
    manifest = build_manifest(declared, ENGLISH)
    assert_discord_valid("bulk_set_application_commands", list(manifest.commands))
    assert plan(manifest.commands, as_discord_answers(manifest)).changes == ()

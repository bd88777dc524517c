"""What a person chose in a select menu, checked like the client does (contract 3.1, 3.4)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sandbox.interactions.options import InvalidInput, read_id
from sandbox.interactions.resolved import Resolved
from sandbox.world.state import Unknown
from sandbox.world.world import World

Json = dict[str, Any]

BUTTON, STRING_SELECT, USER_SELECT, ROLE_SELECT, MENTIONABLE_SELECT, CHANNEL_SELECT = 2, 3, 5, 6, 7, 8
SELECTS = frozenset({STRING_SELECT, USER_SELECT, ROLE_SELECT, MENTIONABLE_SELECT, CHANNEL_SELECT})


def all_components(components: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """Every component of a message or modal, nested ones included."""
    for one in components:
        yield one
        yield from all_components(one.get("components") or ())
        for name in ("accessory", "component"):
            if one.get(name):
                yield from all_components([one[name]])


def find_component(components: Sequence[Mapping[str, Any]], custom_id: str) -> Mapping[str, Any]:
    """The component with that custom id. Raises InvalidInput naming those that exist."""
    known = []
    for one in all_components(components):
        if one.get("custom_id") == custom_id:
            return one
        if one.get("custom_id"):
            known.append(str(one["custom_id"]))
    raise InvalidInput(
        f"the message has no component with custom_id {custom_id!r}; it has: {', '.join(known) or 'none'}"
    )


def read_values(
    world: World, guild_id: int | None, select: Mapping[str, Any], values: Sequence[Any], resolved: Resolved
) -> list[str]:
    """The chosen values as strings, their objects added to `resolved`. Raises InvalidInput."""
    chosen = [str(value) for value in values]
    least = 1 if select.get("min_values") is None else int(select["min_values"])
    most = 1 if select.get("max_values") is None else int(select["max_values"])
    if select.get("required") is False and not chosen:
        least = 0
    if not least <= len(chosen) <= most:
        bounds = str(least) if least == most else f"{least} to {most}"
        raise InvalidInput(f"choose {bounds}, not {len(chosen)}")
    if len(set(chosen)) != len(chosen):
        raise InvalidInput("a value was chosen twice")
    for value in chosen:
        _read_value(world, guild_id, select, value, resolved)
    return chosen


def _read_value(
    world: World, guild_id: int | None, select: Mapping[str, Any], value: str, resolved: Resolved
) -> None:
    kind = int(select["type"])
    if kind == STRING_SELECT:
        offered = [str(option["value"]) for option in select["options"]]
        if value not in offered:
            raise InvalidInput(f"{value!r} is not offered; offered are: {', '.join(offered)}")
        return
    snowflake = read_id(value)
    try:
        if kind == USER_SELECT:
            resolved.user(snowflake)
        elif kind == MENTIONABLE_SELECT:
            resolved.mentionable(snowflake)
        elif kind == ROLE_SELECT:
            if guild_id is None:
                raise InvalidInput("there are no roles outside a server")
            resolved.role(snowflake)
        else:
            channel = world.channel(snowflake)
            allowed = select.get("channel_types")
            if channel.guild_id != guild_id or (allowed and channel.type not in allowed):
                raise InvalidInput("that channel cannot be chosen here")
            resolved.channel(snowflake)
    except Unknown as error:
        raise InvalidInput(str(error)) from None

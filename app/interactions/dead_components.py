"""Finding the components of a message that nobody can use any more, so that it can be edited to show that."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from app.interactions.interaction import Interaction
from app.interactions.replies import MessageFlag
from app.interactions.responses import DisabledComponents


def disable_dead(interaction: Interaction, is_dead: Callable[[str], bool]) -> DisabledComponents | None:
    """Return the edit that disables the dead components of the pressed message.

    None when it has none, and for ephemeral messages: the bot cannot edit those, and they vanish by themselves.
    `interaction.raw` is not changed.
    """
    message = interaction.message
    if message is None or message.flags & MessageFlag.EPHEMERAL or not message.components:
        return None
    channel = message.channel_id or interaction.channel_id
    components, disabled = _without(list(message.components), is_dead)
    if not disabled or channel is None:
        return None
    return DisabledComponents(channel, message.id, components)


def _without(components: list[Any], is_dead: Callable[[str], bool]) -> tuple[list[Any], bool]:
    copied, any_disabled = [], False
    for component in components:
        if not isinstance(component, dict):
            copied.append(component)
            continue
        copy = dict(component)
        custom_id = copy.get("custom_id")
        if isinstance(custom_id, str) and not copy.get("disabled") and is_dead(custom_id):
            copy["disabled"] = any_disabled = True
        if isinstance(copy.get("components"), list):
            copy["components"], inner = _without(copy["components"], is_dead)
            any_disabled = any_disabled or inner
        if isinstance(copy.get("accessory"), dict):
            (copy["accessory"],), inner = _without([copy["accessory"]], is_dead)
            any_disabled = any_disabled or inner
        copied.append(copy)
    return copied, any_disabled

"""What a person filled into a modal, as the mirror of its components that Discord sends (contract 3.4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sandbox.interactions.options import InvalidInput, Uploader, fits_file_types
from sandbox.interactions.resolved import Resolved
from sandbox.interactions.selects import SELECTS, all_components, read_values
from sandbox.world.world import World

Json = dict[str, Any]

ACTION_ROW, TEXT_INPUT, TEXT_DISPLAY, LABEL, FILE_UPLOAD = 1, 4, 10, 18, 19
RADIO_GROUP, CHECKBOX_GROUP, CHECKBOX = 21, 22, 23
LEAVES = SELECTS | {TEXT_INPUT, FILE_UPLOAD, RADIO_GROUP, CHECKBOX_GROUP, CHECKBOX}
_UNTOUCHED = object()


def numbered(components: Sequence[Mapping[str, Any]]) -> list[Json]:
    """Give every component of a modal an id where it has none, in sequence."""
    taken = {int(one["id"]) for one in all_components(components) if one.get("id")}
    numbers = iter(n for n in range(1, 1000) if n not in taken)

    def number(one: Mapping[str, Any]) -> Json:
        stored = {key: value for key, value in one.items() if value is not None}
        stored["id"] = int(one["id"]) if one.get("id") else next(numbers)
        if "component" in stored:
            stored["component"] = number(stored["component"])
        if "components" in stored:
            stored["components"] = [number(child) for child in stored["components"]]
        return stored

    return [number(one) for one in components]


@dataclass(slots=True)
class ModalReader:
    """Reads {custom_id: value} against a modal; what is not given stays as the modal presets it."""

    world: World
    guild_id: int | None
    resolved: Resolved
    upload: Uploader
    problems: dict[str, str] = field(default_factory=dict)

    def read(self, components: Sequence[Mapping[str, Any]], given: Mapping[str, Any]) -> list[Json]:
        """Return `data.components`. Raises InvalidInput with all problems."""
        known = {str(c["custom_id"]) for c in all_components(components) if c.get("custom_id")}
        for name in given:
            if name not in known:
                self.problems[name] = f"no such field; the modal has: {', '.join(sorted(known))}"
        mirror = [self._top(one, given) for one in components]
        if self.problems:
            said = "; ".join(f"{name}: {text}" for name, text in self.problems.items())
            raise InvalidInput(f"the modal is not filled in correctly: {said}", self.problems)
        return mirror

    def _top(self, one: Mapping[str, Any], given: Mapping[str, Any]) -> Json:
        shape: Json = {"type": one["type"], "id": one["id"]}
        if one["type"] == LABEL:
            return shape | {"component": self._leaf(one["component"], given)}
        if one["type"] == ACTION_ROW:
            return shape | {"components": [self._leaf(child, given) for child in one["components"]]}
        return shape

    def _leaf(self, leaf: Mapping[str, Any], given: Mapping[str, Any]) -> Json:
        custom_id = str(leaf["custom_id"])
        shape: Json = {"type": leaf["type"], "id": leaf["id"], "custom_id": custom_id}
        try:
            return shape | self._value(leaf, given.get(custom_id, _UNTOUCHED))
        except InvalidInput as error:
            self.problems[custom_id] = str(error)
            return shape

    def _value(self, leaf: Mapping[str, Any], value: Any) -> Json:
        kind = int(leaf["type"])
        if kind == TEXT_INPUT:
            return {"value": _text(leaf, (leaf.get("value") or "") if value is _UNTOUCHED else value)}
        if kind == CHECKBOX:
            ticked = bool(leaf.get("default")) if value is _UNTOUCHED else value
            if not isinstance(ticked, bool):
                raise InvalidInput("must be true or false")
            return {"value": ticked}
        if kind == RADIO_GROUP:
            return {"value": _radio(leaf, value)}
        if kind == CHECKBOX_GROUP:
            return {"values": _ticked(leaf, value)}
        if kind == FILE_UPLOAD:
            return {"values": self._files(leaf, [] if value is _UNTOUCHED else as_list(value))}
        chosen = _preset(leaf) if value is _UNTOUCHED else as_list(value)
        return {"values": read_values(self.world, self.guild_id, leaf, chosen, self.resolved)}

    def _files(self, leaf: Mapping[str, Any], files: list[Any]) -> list[str]:
        _check_count(leaf, len(files), default_most=1)
        ids = []
        for file in files:
            attachment = self.upload(file)
            if not fits_file_types(leaf.get("file_types"), attachment):
                raise InvalidInput(f"file types allowed: {', '.join(leaf['file_types'])}")
            self.resolved.attachment(attachment)
            ids.append(str(attachment["id"]))
        return ids


def as_list(value: Any) -> list[Any]:
    """One value or several as a list; None is none."""
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]


def _preset(leaf: Mapping[str, Any]) -> list[str]:
    if leaf.get("default_values"):
        return [str(one["id"]) for one in leaf["default_values"]]
    return [str(option["value"]) for option in leaf.get("options") or () if option.get("default")]


def _text(leaf: Mapping[str, Any], value: Any) -> str:
    if not isinstance(value, str):
        raise InvalidInput("must be text")
    required = leaf.get("required") is not False
    if not value:
        if required:
            raise InvalidInput("is required")
        return value
    least, most = int(leaf.get("min_length") or 0), int(leaf.get("max_length") or 4000)
    if not least <= len(value) <= most:
        raise InvalidInput(f"must be between {least} and {most} characters long")
    return value


def _radio(leaf: Mapping[str, Any], value: Any) -> str | None:
    chosen = next(iter(_preset(leaf)), None) if value is _UNTOUCHED else value
    if chosen is None:
        if leaf.get("required") is not False:
            raise InvalidInput("is required")
        return None
    _check_offered(leaf, [chosen])
    return str(chosen)


def _ticked(leaf: Mapping[str, Any], value: Any) -> list[str]:
    chosen = _preset(leaf) if value is _UNTOUCHED else [str(one) for one in as_list(value)]
    _check_offered(leaf, chosen)
    _check_count(leaf, len(chosen), default_most=len(leaf["options"]))
    return chosen


def _check_offered(leaf: Mapping[str, Any], chosen: Sequence[Any]) -> None:
    offered = [str(option["value"]) for option in leaf["options"]]
    for one in chosen:
        if one not in offered:
            raise InvalidInput(f"{one!r} is not offered; offered are: {', '.join(offered)}")


def _check_count(leaf: Mapping[str, Any], count: int, *, default_most: int) -> None:
    required = leaf.get("required") is not False
    if not count and not required:
        return
    least = 1 if leaf.get("min_values") is None else int(leaf["min_values"])
    most = default_most if leaf.get("max_values") is None else int(leaf["max_values"])
    if required:
        least = max(least, 1)
    if not least <= count <= most:
        raise InvalidInput(f"choose {least} to {most}, not {count}")

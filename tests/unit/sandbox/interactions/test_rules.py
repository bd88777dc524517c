"""Which replies are taken and which are refused; what is taken is also valid under Discord's own document."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sandbox.interactions.rules.callback import InteractionType, check_callback
from sandbox.interactions.rules.form import InvalidForm

Json = dict[str, Any]
COMMAND, COMPONENT, AUTOCOMPLETE, MODAL = (
    InteractionType.COMMAND,
    InteractionType.COMPONENT,
    InteractionType.AUTOCOMPLETE,
    InteractionType.MODAL_SUBMIT,
)


def button(n: int = 0, **fields: Any) -> Json:
    return {"type": 2, "style": 1, "label": "b", "custom_id": f"b{n}"} | fields


def row(*children: Json) -> Json:
    return {"type": 1, "components": list(children)}


def message(**data: Any) -> Json:
    return {"type": 4, "data": data}


def v2(*components: Json, **data: Any) -> Json:
    return {"type": 4, "data": {"flags": 32768, "components": list(components), **data}}


def text(content: str = "x") -> Json:
    return {"type": 10, "content": content}


def select(**fields: Any) -> Json:
    return {"type": 3, "custom_id": "s", "options": [{"label": "a", "value": "a"}]} | fields


def field(component: Json, **label: Any) -> Json:
    return {"type": 18, "label": "L", "component": component} | label


def text_input(**fields: Any) -> Json:
    return {"type": 4, "custom_id": "t", "style": 1} | fields


def modal(*components: Json, **data: Any) -> Json:
    return {"type": 9, "data": {"custom_id": "m", "title": "T", "components": list(components)} | data}


def choices(*values: Any) -> Json:
    return {"type": 8, "data": {"choices": [{"name": "n", "value": value} for value in values]}}


def options(count: int) -> list[Json]:
    return [{"label": f"o{n}", "value": f"o{n}"} for n in range(count)]


TAKEN: list[tuple[Json, InteractionType]] = [
    (message(content="x" * 2000), COMMAND),
    (message(embeds=[{"title": "t" * 256, "fields": [{"name": "n", "value": "v"}] * 25}]), COMMAND),
    (message(content="x", flags=64 | 4 | 4096), COMPONENT),
    (message(content="x", components=[row(*(button(n) for n in range(5)))] * 1), COMMAND),
    (message(components=[row(select())]), COMMAND),
    (message(content="x", allowed_mentions={"parse": []}), MODAL),
    (message(poll={"question": {"text": "q"}, "answers": [{"poll_media": {"text": "a"}}]}), COMMAND),
    (message(components=[row(button(style=5, custom_id=None, url="https://example.org"))]), COMMAND),
    (message(components=[row({"type": 2, "style": 6, "sku_id": "1234567890123456"})]), COMMAND),
    (message(components=[row({"type": 2, "style": 2, "custom_id": "e", "emoji": {"name": "🙂"}})]), COMMAND),
    ({"type": 5, "data": {"flags": 64}}, COMMAND),
    ({"type": 5}, COMMAND),
    ({"type": 6}, COMPONENT),
    ({"type": 7, "data": {"content": "x"}}, COMPONENT),
    (v2(text(), row(button()), {"type": 14}), COMMAND),
    (
        v2(
            {
                "type": 17,
                "accent_color": 0xFF00FF,
                "components": [
                    text("a"),
                    {"type": 9, "components": [text("b")], "accessory": button()},
                    {"type": 12, "items": [{"media": {"url": "https://example.org/a.png"}}]},
                ],
            }
        ),
        COMMAND,
    ),
    (
        v2(
            *(
                {
                    "type": 9,
                    "components": [text(str(n))],
                    "accessory": {"type": 11, "media": {"url": "https://example.org/a.png"}},
                }
                for n in range(13)
            )
        ),
        COMMAND,
    ),
    (choices(), AUTOCOMPLETE),
    (choices(*"abc"), AUTOCOMPLETE),
    (modal(text(), field(text_input(value="v", min_length=1, max_length=5))), COMMAND),
    (modal(field({"type": 21, "custom_id": "r", "options": options(2)})), COMPONENT),
    (modal(field({"type": 22, "custom_id": "c", "options": options(10), "min_values": 1})), COMMAND),
    (modal(field({"type": 23, "custom_id": "k", "default": True})), COMMAND),
    (modal(field({"type": 19, "custom_id": "f", "max_values": 10})), COMMAND),
    (modal(field({"type": 5, "custom_id": "u", "required": False, "min_values": 0})), COMMAND),
    (modal(field(select(required=False, min_values=0), description="d" * 100)), COMMAND),
]

REFUSED: list[tuple[Json, InteractionType, str]] = [
    (message(content="x" * 2001), COMMAND, "data.content"),
    (message(), COMMAND, ""),
    (message(content=5), COMMAND, "data.content"),
    (message(content="x", flags=128), COMMAND, "data.flags"),
    (message(embeds=[{"title": "t"}] * 11), COMMAND, "data.embeds"),
    (message(embeds=[{"title": "t" * 257}]), COMMAND, "data.embeds.0.title"),
    (message(embeds=[{"description": "d" * 4000}] * 2), COMMAND, "data.embeds"),
    (message(embeds=[{"fields": [{"name": " ", "value": "v"}]}]), COMMAND, "data.embeds.0.fields.0.name"),
    (message(embeds=[{"url": "javascript:1"}]), COMMAND, "data.embeds.0.url"),
    (message(embeds=[{"timestamp": "yesterday"}]), COMMAND, "data.embeds.0.timestamp"),
    (message(content="x", components=[row(button(n)) for n in range(6)]), COMMAND, "data.components"),
    (message(content="x", components=[row(*(button(n) for n in range(6)))]), COMMAND, "data.components.0"),
    (message(content="x", components=[row()]), COMMAND, "data.components.0.components"),
    (message(content="x", components=[button()]), COMMAND, "data.components.0.type"),
    (message(content="x", components=[row(button(), select())]), COMMAND, "data.components.0.components"),
    (message(content="x", components=[row(button(1), button(1))]), COMMAND, "data.components.0.components.1"),
    (message(content="x", components=[row(button(custom_id=None))]), COMMAND, "custom_id"),
    (message(content="x", components=[row(button(custom_id="c" * 101))]), COMMAND, "custom_id"),
    (message(content="x", components=[row(button(style=5))]), COMMAND, "url"),
    (message(content="x", components=[row(button(url="https://x.org"))]), COMMAND, "url"),
    (message(content="x", components=[row(button(style=6, sku_id="1"))]), COMMAND, "label"),
    (message(content="x", components=[row(button(label=None))]), COMMAND, "label"),
    (message(content="x", components=[row(button(label="l" * 81))]), COMMAND, "label"),
    (message(content="x", components=[row(select(options=options(26)))]), COMMAND, "options"),
    (message(content="x", components=[row(select(options=options(1) * 2))]), COMMAND, "options.1.value"),
    (message(content="x", components=[row(select(min_values=2))]), COMMAND, "min_values"),
    (message(content="x", components=[row(select(placeholder="p" * 151))]), COMMAND, "placeholder"),
    (
        message(
            content="x",
            components=[row({"type": 5, "custom_id": "u", "default_values": [{"id": "1", "type": "role"}]})],
        ),
        COMMAND,
        "default_values.0.type",
    ),
    (
        message(content="x", allowed_mentions={"parse": ["users"], "users": ["1"]}),
        COMMAND,
        "data.allowed_mentions.users",
    ),
    (message(content="x", components=[text()]), COMMAND, "data.components.0.type"),
    (v2(text(), content="x"), COMMAND, "data.content"),
    (v2(text(), embeds=[{"title": "t"}]), COMMAND, "data.embeds"),
    (v2(text(), poll={"question": {"text": "q"}, "answers": [{"poll_media": {}}]}), COMMAND, "data.poll"),
    (v2(*(text(str(n)) for n in range(41))), COMMAND, "data.components"),
    (v2(text("x" * 4000), text("y")), COMMAND, "data.components"),
    (v2({"type": 17, "components": [{"type": 17, "components": [text()]}]}), COMMAND, "0.components.0.type"),
    (v2({"type": 9, "components": [text()] * 4, "accessory": button()}), COMMAND, "0.components"),
    (v2({"type": 9, "components": [text()]}), COMMAND, "accessory"),
    (v2({"type": 13, "file": {"url": "https://x.org/a"}}), COMMAND, "file.url"),
    (v2({"type": 13, "file": {"url": "attachment://a.txt"}}), COMMAND, "file.url"),
    (v2(text() | {"id": 7}, {"type": 14, "id": 7}), COMMAND, "data.components.1.id"),
    ({"type": 5, "data": {"flags": 32768}}, COMMAND, "data.flags"),
    ({"type": 1}, COMMAND, "type"),
    ({"type": 4, "data": {"content": "x"}}, AUTOCOMPLETE, "type"),
    ({"type": 6}, COMMAND, "type"),
    ({"type": 7, "data": {"content": "x"}}, COMMAND, "type"),
    ({"type": 7, "data": {"content": "x"}}, MODAL, "type"),
    ({"type": 8, "data": {"choices": []}}, COMMAND, "type"),
    ({"type": 10}, COMMAND, "type"),
    (modal(field(text_input())), MODAL, "type"),
    (choices(*map(str, range(26))), AUTOCOMPLETE, "data.choices"),
    (choices(""), AUTOCOMPLETE, "data.choices.0.value"),
    (choices("v" * 101), AUTOCOMPLETE, "data.choices.0.value"),
    (choices(3), AUTOCOMPLETE, "data.choices.0.value"),
    (modal(), COMMAND, "data.components"),
    (modal(*(field(text_input(custom_id=str(n))) for n in range(6))), COMMAND, "data.components"),
    (modal(field(text_input()), title="T" * 46), COMMAND, "data.title"),
    (modal(field(text_input(), label="L" * 46)), COMMAND, "label"),
    (modal(field(text_input(label="inner"))), COMMAND, "component.label"),
    (modal(field(text_input(min_length=5, max_length=2))), COMMAND, "min_length"),
    (modal(field(text_input(value="abc", max_length=2))), COMMAND, "value"),
    (modal(field(text_input()), field(text_input())), COMMAND, "custom_id"),
    (modal(field(select(disabled=True))), COMMAND, "disabled"),
    (modal(field(select(min_values=0))), COMMAND, "min_values"),
    (modal(field({"type": 21, "custom_id": "r", "options": options(1)})), COMMAND, "options"),
    (
        modal(field({"type": 22, "custom_id": "c", "options": options(2), "max_values": 3})),
        COMMAND,
        "max_values",
    ),
    (modal(field(button())), COMMAND, "component.type"),
    (modal(row(text_input())), COMMAND, "label"),
    (modal(row(button())), COMMAND, "data.components.0.components.0"),
]


@pytest.mark.parametrize(("body", "interaction"), TAKEN)
def test_taken(
    body: Json, interaction: InteractionType, assert_discord_valid: Callable[[str, Any], None]
) -> None:
    assert check_callback(body, interaction, focused_type=3, source={}).type == body["type"]
    assert_discord_valid("create_interaction_response", body)


@pytest.mark.parametrize(("body", "interaction", "place"), REFUSED)
def test_refused(body: Json, interaction: InteractionType, place: str) -> None:
    with pytest.raises(InvalidForm) as refusal:
        check_callback(body, interaction, focused_type=3, source={})
    shown = refusal.value.body()
    assert shown["code"] in {50035, 50006}
    assert place in " ".join(refusal.value.lines())


@pytest.mark.parametrize("value", [None, [], "x", 4, {"type": None}, {"type": 4, "data": []}, {"data": {}}])
def test_nonsense_is_refused_and_never_breaks(value: Any) -> None:
    with pytest.raises(InvalidForm):
        check_callback(value, COMMAND)


def test_modal_opened_by_a_component_may_update_its_message() -> None:
    body = {"type": 7, "data": {"content": "x"}}
    assert check_callback(body, MODAL, from_component=True, source={}).type == 7


def test_turning_on_components_v2_in_an_update_needs_the_rest_cleared() -> None:
    source = {"content": "old", "embeds": [], "flags": 0}
    update = {"flags": 32768, "components": [text()]}
    with pytest.raises(InvalidForm, match="content"):
        check_callback({"type": 7, "data": update}, COMPONENT, source=source)
    check_callback({"type": 7, "data": update | {"content": None}}, COMPONENT, source=source)
    with pytest.raises(InvalidForm, match="never be taken off"):
        check_callback(
            {"type": 7, "data": {"flags": 0}}, COMPONENT, source={"flags": 32768, "components": [1]}
        )


def test_attachments_may_be_referred_to_by_name() -> None:
    body = v2({"type": 13, "file": {"url": "attachment://a.txt"}})
    assert check_callback(body, COMMAND, files=["a.txt"])


def test_integer_choices_must_be_integers() -> None:
    assert check_callback(choices(1, 2), AUTOCOMPLETE, focused_type=4)
    for bad in (1.5, "1", 2**60):
        with pytest.raises(InvalidForm):
            check_callback(choices(bad), AUTOCOMPLETE, focused_type=4)

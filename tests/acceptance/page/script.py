"""The scripted application of the page's tests: one command for everything that the page can show."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
from starlette.responses import Response

from tests.fixtures.scripted_app import ScriptedApp

Json = dict[str, Any]

FRUIT = ["Apple", "Apricot", "Banana", "Cherry", "Clementine"]

COMMANDS: list[Json] = [
    {
        "name": "ping",
        "type": 1,
        "description": "See whether the gate is open",
        "description_localizations": {"de": "Schau, ob das Tor offen ist"},
    },
    {"name": "secret", "type": 1, "description": "An answer for your eyes only"},
    {"name": "slow", "type": 1, "description": "Think first, answer later"},
    {"name": "broken", "type": 1, "description": "Never answers properly"},
    {"name": "form", "type": 1, "description": "Open a form with every kind of field"},
    {"name": "layout", "type": 1, "description": "Show a card made of components"},
    {
        "name": "panel",
        "type": 1,
        "description": "Buttons and menus",
        "options": [
            {"name": "buttons", "type": 1, "description": "Every style of button"},
            {"name": "menus", "type": 1, "description": "Every kind of menu"},
        ],
    },
    {
        "name": "fruit",
        "type": 1,
        "name_localizations": {"de": "obst"},
        "description": "Pick a fruit",
        "description_localizations": {"de": "Such dir Obst aus"},
        "options": [
            {
                "name": "name",
                "type": 3,
                "description": "Start typing",
                "required": True,
                "autocomplete": True,
            },
            {
                "name": "amount",
                "type": 4,
                "description": "How many",
                "required": True,
                "min_value": 1,
                "max_value": 9,
            },
            {"name": "ripe", "type": 5, "description": "Ready to eat"},
            {"name": "friend", "type": 6, "description": "Who gets it"},
            {
                "name": "size",
                "type": 3,
                "description": "How big",
                "choices": [{"name": "Small", "value": "s"}, {"name": "Large", "value": "l"}],
            },
        ],
    },
    {"name": "Report message", "type": 3},
    {"name": "Show notes", "type": 2},
]

FORM: Json = {
    "type": 9,
    "data": {
        "custom_id": "form",
        "title": "Tell the team",
        "components": [
            {
                "type": 18,
                "label": "What happened?",
                "description": "In your own words",
                "component": {"type": 4, "custom_id": "what", "style": 2, "min_length": 5, "max_length": 300},
            },
            {
                "type": 18,
                "label": "Who was it?",
                "component": {"type": 5, "custom_id": "who", "required": False, "max_values": 3},
            },
            {
                "type": 18,
                "label": "How bad is it?",
                "component": {
                    "type": 21,
                    "custom_id": "bad",
                    "options": [
                        {"label": "Annoying", "value": "1", "description": "Can wait"},
                        {"label": "Serious", "value": "2"},
                    ],
                },
            },
            {
                "type": 18,
                "label": "What should we do?",
                "component": {
                    "type": 22,
                    "custom_id": "todo",
                    "required": False,
                    "options": [
                        {"label": "Talk", "value": "talk"},
                        {"label": "Remove it", "value": "remove"},
                    ],
                },
            },
            {
                "type": 18,
                "label": "Evidence",
                "component": {"type": 19, "custom_id": "proof", "required": False},
            },
        ],
    },
}


CHOOSER: Json = {
    "type": 9,
    "data": {
        "custom_id": "chooser",
        "title": "Every other field",
        "components": [
            {"type": 10, "content": "Just **choose**."},
            {
                "type": 18,
                "label": "Colour",
                "component": {
                    "type": 3,
                    "custom_id": "colour",
                    "options": [
                        {"label": "Green", "value": "green"},
                        {"label": "Amber", "value": "amber", "default": True},
                    ],
                },
            },
            {"type": 18, "label": "Whom", "component": {"type": 7, "custom_id": "whom", "max_values": 2}},
            {
                "type": 18,
                "label": "Where",
                "component": {"type": 8, "custom_id": "where", "channel_types": [0]},
            },
            {"type": 18, "label": "I am sure", "component": {"type": 23, "custom_id": "sure"}},
        ],
    },
}


def text_of(payload: Json, custom_id: str) -> Any:
    """What was filled in for one field of a modal."""
    for label in payload["data"]["components"]:
        leaf = label.get("component", {"custom_id": None})
        if leaf["custom_id"] == custom_id:
            return leaf.get("value", leaf.get("values"))
    raise KeyError(custom_id)


def say(content: str, **data: Any) -> Json:
    return {"type": 4, "data": {"content": content, **data}}


def install(app: ScriptedApp, api_base: str) -> None:
    """Give the application its answers."""

    async def slow(payload: Json) -> Json:
        async def finish() -> None:
            await app.gate.wait()
            url = f"{api_base}/webhooks/{payload['application_id']}/{payload['token']}/messages/@original"
            async with httpx.AsyncClient() as http:
                await http.patch(url, json={"content": "That took a while."})

        app.tasks.append(asyncio.create_task(finish()))
        return {"type": 5, "data": {}}

    def fruit(payload: Json) -> Json:
        options = {o["name"]: o["value"] for o in payload["data"]["options"]}
        return say(f"{options['amount']} × {options['name']}, {payload['locale']}")

    def suggest(payload: Json) -> Json:
        typed = next(o["value"] for o in payload["data"]["options"] if o.get("focused"))
        found = [name for name in FRUIT if name.lower().startswith(str(typed).lower())]
        return {"type": 8, "data": {"choices": [{"name": n, "value": n.lower()} for n in found]}}

    app.scripts |= {
        "ping": lambda p: say("Pong! The gate is **open**."),
        "secret": lambda p: say("Psst, _just between us_.", flags=64),
        "slow": slow,
        "broken": lambda p: Response(status_code=500),
        "form": lambda p: FORM,
        "modal:form": lambda p: say(
            f"Thank you. You wrote: {text_of(p, 'what')} ({text_of(p, 'bad')}; {text_of(p, 'todo')})",
            flags=64,
        ),
        "panel buttons": lambda p: say("Choose your button", components=[BUTTONS]),
        "count": lambda p: {
            "type": 7,
            "data": {"content": "You pressed it", "components": [BUTTONS_AFTER]},
        },
        "whisper": lambda p: say("Only for whoever pressed", flags=64),
        "ring": lambda p: say("Ding", flags=64),
        "ask": lambda p: CHOOSER,
        "modal:chooser": lambda p: say(
            f"{text_of(p, 'colour')} {len(text_of(p, 'whom'))} {len(text_of(p, 'where'))} {text_of(p, 'sure')}",
            flags=64,
        ),
        "fail": lambda p: Response(status_code=503),
        "panel menus": lambda p: say("Choose from the menus", components=MENUS),
        "colour": lambda p: say("Colours: " + ", ".join(p["data"]["values"]), flags=64),
        "people": lambda p: say(
            "People: " + ", ".join(u["username"] for u in p["data"]["resolved"]["users"].values()), flags=64
        ),
        "roles": lambda p: say("Roles", flags=64),
        "places": lambda p: say("Places", flags=64),
        "layout": lambda p: LAYOUT,
        "fruit": fruit,
        "auto:fruit": suggest,
        "Report message": lambda p: say(
            f"Reported: {p['data']['resolved']['messages'][p['data']['target_id']]['content']}", flags=64
        ),
        "Show notes": lambda p: say(
            f"Notes on {p['data']['resolved']['users'][p['data']['target_id']]['username']}: none", flags=64
        ),
    }


def _button(label: str, custom_id: str, style: int, **more: Any) -> Json:
    return {"type": 2, "style": style, "label": label, "custom_id": custom_id, **more}


BUTTONS = {
    "type": 1,
    "components": [
        _button("Count", "count", 1, emoji={"name": "🔢"}),
        _button("Whisper", "whisper", 2),
        _button("Ask", "ask", 3),
        _button("Fail", "fail", 4),
        {"type": 2, "style": 5, "label": "Docs", "url": "https://example.org"},
    ],
}
BUTTONS_AFTER = {"type": 1, "components": [_button("Done", "count", 2, disabled=True)]}
MENUS = [
    {
        "type": 1,
        "components": [
            {
                "type": 3,
                "custom_id": "colour",
                "placeholder": "Favourite colours",
                "max_values": 2,
                "options": [
                    {"label": "Green", "value": "green", "description": "Like moss", "emoji": {"name": "🌿"}},
                    {"label": "Amber", "value": "amber", "description": "Like resin"},
                    {"label": "Slate", "value": "slate"},
                ],
            }
        ],
    },
    {"type": 1, "components": [{"type": 5, "custom_id": "people", "placeholder": "Somebody"}]},
    {"type": 1, "components": [{"type": 6, "custom_id": "roles", "placeholder": "A role"}]},
    {"type": 1, "components": [{"type": 8, "custom_id": "places", "placeholder": "A channel"}]},
]
LAYOUT: Json = {
    "type": 4,
    "data": {
        "flags": 32768,
        "components": [
            {
                "type": 17,
                "accent_color": 0x1F6F5C,
                "components": [
                    {
                        "type": 10,
                        "content": "## Gatekeeper's report\nEverything that came through **today**.",
                    },
                    {"type": 14},
                    {
                        "type": 9,
                        "components": [
                            {"type": 10, "content": "**Visitors**\n12 arrived, 1 was turned away"},
                        ],
                        "accessory": _button("Details", "whisper", 2),
                    },
                    {
                        "type": 9,
                        "components": [{"type": 10, "content": "**Last bell** <t:1700000000:R>"}],
                        "accessory": _button("Ring", "ring", 1),
                    },
                    {"type": 14, "spacing": 2},
                    {"type": 10, "content": "-# Written by the gatekeeper"},
                    {"type": 1, "components": [_button("Close the gate", "count", 4)]},
                ],
            }
        ],
    },
}

"""A valid message request as Discord stores it: trimmed text, embed types, component ids, files in place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sandbox.interactions.files import Files, Upload
from sandbox.interactions.rules.message import SETTABLE

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Rendered:
    """What of a request goes into a message. None means: not given, keep what is there."""

    content: str | None
    embeds: list[Json] | None
    components: list[Json] | None
    attachments: list[Json] | None
    flags: int
    poll: Json | None
    allowed_mentions: Json
    tts: bool


def render(
    data: Mapping[str, Any],
    files: Sequence[Upload],
    store: Files,
    *,
    channel_id: int,
    ephemeral: bool,
    kept: Sequence[Json] = (),
) -> Rendered:
    """Read request data that passed `check_message`. `kept` are the attachments that the message has now."""
    attachments = _attachments(data, files, store, channel_id, ephemeral=ephemeral, kept=kept)
    by_name = {str(a["filename"]): a for a in (attachments if attachments is not None else kept)}
    by_name |= {str(a["title"]): a for a in by_name.values() if "title" in a}
    embeds = _given(data, "embeds", [])
    components = _given(data, "components", [])
    content = _given(data, "content", "")
    return Rendered(
        content=None if content is None else content.strip(),
        embeds=None if embeds is None else [_embed(embed, by_name) for embed in embeds],
        components=None if components is None else _components(components, by_name),
        attachments=attachments,
        flags=int(data.get("flags") or 0) & SETTABLE,
        poll=_poll(data.get("poll")),
        allowed_mentions=_mentions(data),
        tts=bool(data.get("tts")),
    )


def _given(data: Mapping[str, Any], name: str, empty: Any) -> Any:
    if name not in data:
        return None
    return empty if data[name] is None else data[name]


def _mentions(data: Mapping[str, Any]) -> Json:
    """Without the field, interactions and webhooks ping users only (contract 1.7)."""
    given = data.get("allowed_mentions")
    return {"parse": ["users"], "replied_user": False} if given is None else dict(given)


def _attachments(
    data: Mapping[str, Any],
    files: Sequence[Upload],
    store: Files,
    channel_id: int,
    *,
    ephemeral: bool,
    kept: Sequence[Json],
) -> list[Json] | None:
    """Listed old ones stay, new ones are described by the entry whose id is their index (contract 4.5, 4.6)."""
    listed = data.get("attachments")
    if listed is None and not files:
        return None
    entries = {str(entry["id"]): entry for entry in listed or ()}
    result = [dict(old) for old in kept if listed is None or str(old["id"]) in entries]
    for index, upload in enumerate(files):
        entry = entries.get(str(index), {})
        named = Upload(entry.get("filename") or upload.filename, upload.content, upload.content_type)
        result.append(
            store.put(
                named,
                channel_id=channel_id,
                description=entry.get("description"),
                spoiler=bool(entry.get("is_spoiler")),
                ephemeral=ephemeral,
            )
        )
    return result


def _embed(embed: Mapping[str, Any], files: Mapping[str, Json]) -> Json:
    stored: Json = {"type": "rich"}
    for name, value in embed.items():
        if value is None or name == "type":
            continue
        stored[name] = value.strip() if isinstance(value, str) else value
    if "fields" in stored:
        stored["fields"] = [
            {"inline": False} | {k: v for k, v in f.items() if v is not None} for f in stored["fields"]
        ]
    for name in ("image", "thumbnail", "footer", "author"):
        if isinstance(stored.get(name), dict):
            stored[name] = {
                key: _resolve(value, files) if key.endswith("url") else value
                for key, value in stored[name].items()
                if value is not None
            }
    return stored


def _resolve(url: Any, files: Mapping[str, Json]) -> Any:
    if isinstance(url, str) and url.startswith("attachment://"):
        found = files.get(url.removeprefix("attachment://"))
        return found["url"] if found is not None else url
    return url


def _components(components: Sequence[Mapping[str, Any]], files: Mapping[str, Json]) -> list[Json]:
    taken = {int(one["id"]) for one in _all(components) if one.get("id")}
    numbers = (n for n in range(1, 10_000) if n not in taken)
    return [_component(one, files, numbers) for one in components]


def _all(components: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    for one in components:
        yield one
        yield from _all(one.get("components") or ())
        if one.get("accessory"):
            yield one["accessory"]


def _component(one: Mapping[str, Any], files: Mapping[str, Json], numbers: Iterator[int]) -> Json:
    stored: Json = {key: value for key, value in one.items() if value is not None}
    stored["id"] = int(one["id"]) if one.get("id") else next(numbers)
    if "components" in stored:
        stored["components"] = [_component(child, files, numbers) for child in stored["components"]]
    if "accessory" in stored:
        stored["accessory"] = _component(stored["accessory"], files, numbers)
    if "media" in stored:
        stored["media"] = _media(stored["media"], files)
    if "items" in stored:
        stored["items"] = [item | {"media": _media(item["media"], files)} for item in stored["items"]]
    if "file" in stored:
        found = files.get(str(stored["file"]["url"]).removeprefix("attachment://"))
        stored["file"] = _media(stored["file"], files)
        if found is not None:
            stored |= {"name": found["filename"], "size": found["size"]}
    return stored


def _media(media: Mapping[str, Any], files: Mapping[str, Json]) -> Json:
    url = _resolve(media["url"], files)
    found = files.get(str(media["url"]).removeprefix("attachment://"))
    stored: Json = {"url": url, "proxy_url": url}
    if found is not None:
        stored |= {"attachment_id": found["id"], "content_type": found["content_type"]}
        stored |= {key: found[key] for key in ("width", "height") if key in found}
    return stored


def _poll(poll: Any) -> Json | None:
    if not poll:
        return None
    answers = [{"answer_id": n, **answer} for n, answer in enumerate(poll["answers"], 1)]
    return {
        "question": poll["question"],
        "answers": answers,
        "allow_multiselect": bool(poll.get("allow_multiselect")),
        "layout_type": 1,
        "expiry": None,
    }

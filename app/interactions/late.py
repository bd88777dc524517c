"""An answer that comes after its deferral: which REST calls bring it (contract 1.7, 1.9).

Ephemeral or public was fixed by the deferral. Where the answer wants the other one, the "thinking" message goes
and the answer follows in a message of its own. Nothing secret is in a LateCall; the caller adds the token.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from app.interactions.replies import MessageFlag, ResponseType
from app.interactions.responses import Response


@dataclass(frozen=True, slots=True)
class LateCall:
    """One call on the interaction's webhook: `edit` and `delete` concern @original, `follow_up` is a new message."""

    method: Literal["edit", "delete", "follow_up"]
    body: dict[str, Any] | None = None


def late_calls(waiting: Response, answer: Response, too_late: Callable[[], Response]) -> tuple[LateCall, ...]:
    """Return the calls in order, () when nothing is left to do.

    `too_late` makes the answer for what cannot come after a deferral: a modal.
    """
    payload = orjson.loads(answer.body)
    kind = payload["type"]
    if kind == ResponseType.MODAL:
        payload = orjson.loads(too_late().body)
        kind = payload["type"]
    silent = orjson.loads(waiting.body)["type"] == ResponseType.DEFERRED_UPDATE
    if kind == ResponseType.UPDATE:
        return _updated(payload["data"], silent=silent)
    if kind != ResponseType.MESSAGE:
        return () if silent or answer.deferral is not None else (LateCall("delete"),)
    data = payload["data"]
    ephemeral = bool(data.get("flags", 0) & MessageFlag.EPHEMERAL)
    if silent:
        return (LateCall("follow_up", data),)
    if ephemeral == waiting.ephemeral:
        return (LateCall("edit", _without_ephemeral(data)),)
    return (LateCall("delete"), LateCall("follow_up", data))


def _updated(data: dict[str, Any], *, silent: bool) -> tuple[LateCall, ...]:
    """An update edits the component's message, which is @original only after a silent deferral."""
    return (
        (LateCall("edit", data),)
        if silent
        else (LateCall("edit", {k: v for k, v in data.items() if v is not None}),)
    )


def _without_ephemeral(data: dict[str, Any]) -> dict[str, Any]:
    """Drop the flag that an edit may not set."""
    flags = data.get("flags", 0) & ~MessageFlag.EPHEMERAL
    rest = {key: value for key, value in data.items() if key != "flags"}
    return rest | {"flags": int(flags)} if flags else rest

"""Links that invite to other servers, also when they are disguised; own and partner servers are allowed."""

from __future__ import annotations

from typing import Annotated

import re2
from pydantic import BaseModel, ConfigDict, Field

from app.features.moderation.rules.kind import Judge, Match, RuleKind, Sample
from app.features.moderation.rules.patterns import options
from app.features.moderation.text.view import Layer
from app.locale.text import t

INVITE = (
    r"(?:discord(?:app)?\s*[.,。．]\s*(?:com|gg|me|io|li)|dsc\s*[.,]\s*gg)"
    r"\s*[/\\⁄∕／]+\s*(?:invite\s*[/\\⁄∕／]+\s*)?([a-z0-9-]{2,32})"
)
"""Discord's own hosts (discord.gg, discord.com/invite, discordapp.com/invite) and the usual redirectors."""

CHANNEL_LINKS = frozenset(
    {"channels", "developers", "api", "app", "safety", "terms", "guidelines", "nitro", "users"}
)
"""Paths below discord.com that invite nobody."""


class InviteSettings(BaseModel):
    """`allowed_codes` may be posted; `allowed_guilds` are partner servers whose invites are resolved."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    allowed_codes: Annotated[tuple[str, ...], Field(max_length=500)] = ()
    allowed_guilds: Annotated[tuple[int, ...], Field(max_length=500)] = ()


class _Invites:
    def __init__(self, settings: InviteSettings) -> None:
        self._pattern = re2.compile(INVITE, options())
        self._allowed = frozenset(code.lower() for code in settings.allowed_codes)

    def __call__(self, sample: Sample) -> Match | None:
        view = sample.view
        layers: list[Layer] = [view.plain]
        if view.folded is not view.plain:
            layers.append(view.folded)
        for layer in layers:
            spans = tuple(
                layer.span(*found.span())
                for found in self._pattern.finditer(layer.text)
                if found[1] not in self._allowed and not self._is_no_invite(found)
            )
            if spans:
                return Match(detail=f"{len(spans)} invite(s)", spans=spans)
        return None

    @staticmethod
    def _is_no_invite(found: re2._Match) -> bool:
        return found[1] in CHANNEL_LINKS or (found[1] == "invite")


def compile_invites(settings: InviteSettings) -> Judge:
    """Return the judge of invites."""
    return _Invites(settings)


KIND = RuleKind(
    name="invites",
    sentence=t("Invitations to other servers."),
    settings=InviteSettings,
    compile=compile_invites,
    category="invites",
)

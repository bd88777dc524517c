"""Links that invite to other servers, also when they are disguised; own and partner servers are allowed."""

from __future__ import annotations

from typing import Annotated

import re2
from pydantic import BaseModel, ConfigDict, Field

from app.features.moderation.rules.kind import Judge, LookupFailed, Match, RuleKind, Sample, Tools, Watch
from app.features.moderation.rules.patterns import options
from app.features.moderation.text.view import Layer
from app.locale.text import t

_GAP = r"[\s*_~|`\\]*"
"""Spaces and Discord's formatting, which a reader does not see."""
_SLASH = rf"{_GAP}(?::[0-9]{{1,5}}{_GAP})?[/\\⁄∕／]+{_GAP}"
INVITE = (
    rf"discord(?:app)?{_GAP}[.,。．]{_GAP}com{_GAP}\.?{_SLASH}invite{_SLASH}([a-z0-9-]{{2,32}})"
    rf"|(?:discord{_GAP}[.,。．]{_GAP}(?:gg|me|io|li)|dsc{_GAP}[.,]{_GAP}gg){_GAP}\.?{_SLASH}"
    rf"(?:invite{_SLASH})?([a-z0-9-]{{2,32}})"
)
"""Discord's own hosts (discord.gg/…, discord.com/invite/…) and the usual redirectors. Other paths below discord.com
and discordapp.com invite nobody: channels, attachments, the help centre."""


class InviteSettings(BaseModel):
    """`allowed_codes` may be posted; `allowed_guilds` are partner servers whose invites are resolved."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    allowed_codes: Annotated[tuple[str, ...], Field(max_length=500)] = ()
    allowed_guilds: Annotated[tuple[int, ...], Field(max_length=500)] = ()


MOST_LOOKUPS = 3
"""Invites of one message that are looked up; whoever posts more different ones advertises."""


class _Invites:
    def __init__(self, settings: InviteSettings) -> None:
        self._pattern = re2.compile(INVITE, options())
        self._allowed = frozenset(code.lower() for code in settings.allowed_codes)

    def __call__(self, sample: Sample) -> Match | None:
        found = self.found(sample)
        return Match(f"{len(found)} invite(s)", tuple(found.values())) if found else None

    def found(self, sample: Sample) -> dict[str, tuple[int, int]]:
        """Return the codes that are not allowed as such, with their first place in the text."""
        view = sample.view
        codes: dict[str, tuple[int, int]] = {}
        if "d" not in view.folded.text:
            return codes
        layers: list[Layer] = [view.plain]
        if view.folded is not view.plain:
            layers.append(view.folded)
        places: set[int] = set()
        for layer in layers:
            for match in self._pattern.finditer(layer.text):
                group = 1 if match[1] else 2
                code = match[group]
                if code not in self._allowed:
                    span = layer.span(*match.span())
                    if span[0] in places:
                        continue  # seen in the layer before, less disguised
                    places.add(span[0])
                    # Codes distinguish upper and lower case, which the layer does not.
                    written = view.original[slice(*layer.span(*match.span(group)))]
                    codes.setdefault(written if written.lower() == code else code, span)
        return codes


class _Resolved:
    """Looks up where the invites lead: the own server and partners are allowed."""

    def __init__(self, settings: InviteSettings) -> None:
        self._invites = _Invites(settings)
        self._partners = frozenset(settings.allowed_guilds)

    async def __call__(self, sample: Sample, match: Match | None, tools: Tools) -> Match | None:
        if match is None or sample.guild_id == 0:
            return match
        found: dict[str, tuple[int, int]] = {}
        for part in sample.parts():
            for code, (start, end) in self._invites.found(part).items():
                found.setdefault(code, (start + part.offset, end + part.offset))
        if len(found) > MOST_LOOKUPS:
            return match
        foreign, unsure = [], False
        for code, span in found.items():
            try:
                leads_to = await tools.invites.guild_of(code)
            except LookupFailed:
                unsure = True
                foreign.append(span)
                continue
            if leads_to is None or (leads_to != sample.guild_id and leads_to not in self._partners):
                foreign.append(span)
        if not foreign:
            return None
        return Match(f"{len(foreign)} invite(s)", tuple(foreign), unsure=unsure)


def compile_invites(settings: InviteSettings) -> Judge:
    """Return the judge of invites."""
    return _Invites(settings)


def watch_invites(settings: InviteSettings) -> Watch:
    """Return the look-up of what the invites lead to."""
    return _Resolved(settings)


KIND = RuleKind(
    name="invites",
    sentence=t("Invitations to other servers."),
    settings=InviteSettings,
    compile=compile_invites,
    category="invites",
    options={"allowed_codes": "allowed", "allowed_guilds": "partners"},
    names=True,
    watch=watch_invites,
)

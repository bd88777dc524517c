"""What a review item offers and shows, and that Discord accepts it in every state and language."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from app.features.moderation.commands import moderation_view
from app.features.moderation.review.act import Act, case_to_undo, lifts, possible, sanction_of, undoable
from app.features.moderation.review.buttons import rows
from app.features.moderation.review.store import Item
from app.features.moderation.review.view import embed_of
from app.features.moderation.settings import ModerationSettings
from app.interactions.custom_id import CustomIds
from app.interactions.posting import PostRenderer
from app.locale.catalogue import Catalogue
from app.snowflake import GuildId
from tests.fixtures.interactions import APPLICATION, GUILD, KEYS, NOW

OPEN = Item(
    item_id=2**62, guild_id=GUILD, item_key="k", kind="verdict", severity=4, reason="r" * 900, proposed="ban",
    user_id=2**62, channel_id=3, message_id=4, decision_id=5, case_number=None, appeal_id=None,
    reporters=[2**62] * 30, excerpt="x\n" * 2000, state="open", version=2**31 - 1, claimed_by=None, claimed_at=None,
    resolution=None, resolved_by=None, resolved_at=None, resolution_case=None, posted_channel=None,
    posted_message=None, opened_at=datetime(2026, 11, 24, tzinfo=UTC),
)  # fmt: skip
APPEAL = replace(OPEN, kind="appeal", case_number=7, message_id=None, appeal_id=1, proposed=None)
RESOLVED = replace(
    OPEN, state="resolved", resolution="ban", resolved_by=9, resolved_at=NOW, resolution_case=8
)


@pytest.mark.parametrize("locale", ["en-US", "de", "fr", "es-ES", "pt-BR", "ja"])
@pytest.mark.parametrize(
    "item",
    [
        OPEN,
        replace(OPEN, case_number=7, claimed_by=9, claimed_at=NOW),
        replace(OPEN, kind="report", proposed=None, excerpt=None, reason="", severity=0),
        APPEAL,
        RESOLVED,
        replace(RESOLVED, state="undone"),
    ],
)
def test_discord_accepts_every_look(
    item: Item, locale: str, assert_discord_valid: Callable[[str, Any], None]
) -> None:
    renderer = PostRenderer(CustomIds(KEYS, APPLICATION, lambda: NOW), Catalogue.load())
    body = renderer.body(None, rows(item), [embed_of(item)], guild=GuildId(GUILD), locale=locale)
    assert_discord_valid("MessageCreateRequest", body)


@pytest.mark.parametrize("locale", ["en-US", "de", "ja"])
def test_the_settings_fit_into_an_embed(
    locale: str, assert_discord_valid: Callable[[str, Any], None]
) -> None:
    renderer = PostRenderer(CustomIds(KEYS, APPLICATION, lambda: NOW), Catalogue.load())
    full = ModerationSettings(
        policy_text="p" * 4000,
        moderator_roles=tuple(range(2**62, 2**62 + 40)),
        thresholds={f"category-{number}/sub": 0.123 for number in range(40)},
    )
    body = renderer.body(None, (), [moderation_view.embed_of(full)], guild=GuildId(GUILD), locale=locale)
    assert_discord_valid("MessageCreateRequest", body)


def test_what_can_be_done_follows_from_what_was_done() -> None:
    acted = replace(OPEN, case_number=7)
    assert possible(OPEN) == (Act.APPROVE, Act.DISMISS, Act.DELETE, Act.TIMEOUT, Act.BAN)
    assert possible(acted) == (Act.APPROVE, Act.DISMISS, Act.TIMEOUT, Act.BAN)
    assert possible(replace(OPEN, proposed=None, message_id=None)) == (Act.DISMISS, Act.TIMEOUT, Act.BAN)
    assert possible(APPEAL) == (Act.UPHOLD, Act.OVERTURN)
    assert sanction_of(OPEN, Act.APPROVE) == "ban"
    assert sanction_of(acted, Act.APPROVE) is None
    assert lifts(acted, Act.DISMISS)
    assert not lifts(OPEN, Act.DISMISS)
    assert lifts(APPEAL, Act.OVERTURN)


def test_undo_is_offered_where_there_is_something_to_lift() -> None:
    assert undoable(RESOLVED)
    assert case_to_undo(RESOLVED) == 8
    assert not undoable(OPEN)
    assert not undoable(replace(RESOLVED, state="undone"))
    assert not undoable(replace(RESOLVED, resolution="dismiss"))
    approved = replace(RESOLVED, resolution="approve", resolution_case=None, case_number=7)
    assert undoable(approved)
    assert case_to_undo(approved) == 7
    assert not undoable(replace(approved, case_number=None))

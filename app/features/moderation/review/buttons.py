"""The buttons of review items. Each carries the version of the item that it was made for.

A press on an older version changes nothing: the moderator is shown what there is now.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from annotated_types import Interval

from app.features.moderation.notices import refused
from app.features.moderation.review.act import Act
from app.features.moderation.review.queue import Resolved, Reviews
from app.features.moderation.review.store import Item
from app.features.moderation.review.view import embed_of, rows_of
from app.interactions.components import ActionRow, Button
from app.interactions.context import Click
from app.interactions.custom_id import Bound, Target
from app.interactions.declare import button
from app.interactions.replies import MessageFlag, Reply
from app.interactions.translated import translated
from app.locale.catalogue import Catalogue
from app.locale.text import Text, t, tn
from app.snowflake import GuildId

TTL = timedelta(days=90)
Version = Annotated[int, Interval(ge=0, le=2**31 - 1)]


@button("review.decide", ttl=TTL, bound=Bound.MODERATORS)
async def decide(
    click: Click, item: int, version: Version, act: Act, *, reviews: Reviews, catalogue: Catalogue
) -> Reply:
    """Decide an item."""
    resolved = await reviews.resolve(click.guild, item, version, act, by=click.user.id)
    return answer(click, resolved, catalogue)


@button("review.claim", ttl=TTL, bound=Bound.MODERATORS)
async def claim(
    click: Click, item: int, version: Version, *, reviews: Reviews, catalogue: Catalogue
) -> Reply:
    """Claim an item, or give it back."""
    return answer(click, await reviews.claim(click.guild, item, version, by=click.user.id), catalogue)


@button("review.undo", ttl=TTL, bound=Bound.MODERATORS)
async def undo(click: Click, item: int, version: Version, *, reviews: Reviews, catalogue: Catalogue) -> Reply:
    """Lift what was decided."""
    return answer(click, await reviews.undo(click.guild, item, version, by=click.user.id), catalogue)


@button("review.next", ttl=timedelta(hours=1), bound=Bound.MODERATORS)
async def following(click: Click, after: int, *, reviews: Reviews) -> Reply:
    """Turn the page of /review."""
    return await page(click.guild, after, reviews, first=False)


async def page(guild: GuildId, after: int, reviews: Reviews, *, first: bool) -> Reply:
    """Show the next open item behind `after`; behind the last one, begin again."""
    item, count, more = await reviews.page(guild, after=after)
    if item is None and after:
        item, count, more = await reviews.page(guild)
    make = Reply.private if first else Reply.update
    if item is None:
        return make(t("Nothing waits for review."))
    text = tn("{count} item waits for review.", "{count} items wait for review.", count=count)
    shown = [*rows(item), _next(item)] if more or after else rows(item)
    return make(text, *shown, embeds=[embed_of(item)])


def rows(item: Item) -> list[ActionRow]:
    """Return an item's buttons."""

    def decision(one: Item, act: Act) -> Target:
        return decide.to(item=one.item_id, version=one.version, act=act)

    return rows_of(
        item,
        decide=decision,
        claim=claim.to(item=item.item_id, version=item.version),
        undo=undo.to(item=item.item_id, version=item.version),
    )


def answer(click: Click, resolved: Resolved, catalogue: Catalogue) -> Reply:
    """Make the message what the item is now: in the queue's channel in the server's language."""
    item = resolved.item
    said: Text | None = None
    if not resolved.done:
        said = t("This has changed meanwhile. Here it is as it is now.")
    elif resolved.case is not None and resolved.case.state == "failed":
        said = refused(resolved.case)
    if click.message.flags & MessageFlag.EPHEMERAL:
        return Reply.update(said, *rows(item), _next(item), embeds=[embed_of(item)])
    locale = catalogue.choose(click.interaction.guild_locale, click.locale)
    shown = [translated(row, catalogue, locale) for row in rows(item)]
    return Reply.update(said, *shown, embeds=[translated(embed_of(item), catalogue, locale)])


def _next(item: Item) -> ActionRow:
    return ActionRow(Button(following.to(after=item.item_id), t("Next")))

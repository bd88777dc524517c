"""Note every guild that becomes available, and every one that removes the bot."""

from __future__ import annotations

from app.adapters.postgres.pool import Pool, transaction
from app.events.guilds import GuildAvailable, GuildLeft
from app.streams.declare import consumes
from app.tenancy.store import forget_guild, remember_guild


@consumes(GuildAvailable, GuildLeft, group="guilds")
async def note_guild(event: GuildAvailable | GuildLeft, *, pool: Pool) -> None:
    """Remember the guild's name, owner and language; both statements may run twice."""
    async with transaction(pool) as conn:
        if isinstance(event, GuildLeft):
            await forget_guild(conn, event.guild_id)
        else:
            await remember_guild(
                conn, event.guild_id, name=event.name, owner=event.owner_id, locale=event.preferred_locale
            )

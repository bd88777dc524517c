"""Panels from their posting to their closing: what is stored, and the message that shows it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from app.adapters.discord.errors import NotFound
from app.adapters.postgres.pool import Conn, transaction
from app.admission.store import claim_interaction, require_first
from app.errors import UserError
from app.feature import Floor
from app.features.panels import store
from app.features.panels.models import Draft, Kind, Panel, PanelId, PollState
from app.interactions.layout import Container
from app.interactions.posting import PostRenderer
from app.locale.text import t
from app.snowflake import ChannelId, GuildId, InteractionId, MessageId, UserId
from app.streams.store import cancel, schedule

CLOSE = "panels.close"
"""Kind of the scheduled work that closes a poll."""


class PanelGone(UserError):
    """The panel is not there any more."""

    def __init__(self) -> None:
        super().__init__(t("This panel is not there any more."))


class Panels:
    """The service. `look` makes the message of a panel at a time."""

    def __init__(self, floor: Floor, look: Callable[[PollState, datetime], Container]) -> None:
        self._postgres, self._discord = floor.postgres, floor.discord
        self.look = look
        self._floor = floor
        self._rendered: PostRenderer | None = None

    async def find(self, guild: GuildId, panel: PanelId) -> PollState:
        """Return a panel with its votes. Raises PanelGone."""
        async with transaction(self._postgres) as conn:
            return await _state(conn, guild, panel)

    async def post(
        self,
        kind: Kind,
        draft: Draft,
        *,
        guild: GuildId,
        channel: ChannelId,
        author: UserId,
        locale: str,
        interaction: InteractionId,
        now: datetime,
    ) -> Panel:
        """Store a panel and post its message. Raises AlreadyDone, and what a call to Discord raises."""
        async with transaction(self._postgres) as conn:
            await require_first(conn, interaction)
            panel = await store.create(conn, guild, channel, author, kind, locale, draft)
            await _plan_closing(conn, panel)
        body = self._body(PollState(panel, {}), now, edits=False)
        try:
            message = await self._discord.create_message(channel, body, nonce=f"panel-{panel.panel_id}")
        except Exception:
            async with transaction(self._postgres) as conn:
                await store.remove(conn, panel.panel_id)
                await cancel(conn, CLOSE, str(panel.panel_id))
            raise
        async with transaction(self._postgres) as conn:
            await store.posted(conn, panel.panel_id, MessageId(int(message["id"])))
        return panel

    async def vote(
        self,
        guild: GuildId,
        panel: PanelId,
        version: int,
        choice: int,
        *,
        user: UserId,
        interaction: InteractionId,
        now: datetime,
    ) -> PollState:
        """Set a vote if the poll still has that version, and return what there is now. Raises PanelGone."""
        async with transaction(self._postgres) as conn:
            if await claim_interaction(conn, interaction):
                await store.vote(conn, guild, panel, version, choice, user, now)
            return await _state(conn, guild, panel)

    async def claim(self, interaction: InteractionId) -> bool:
        """Claim the effect of a press for good, before it is caused; False: it was caused already."""
        async with transaction(self._postgres) as conn:
            return await claim_interaction(conn, interaction)

    async def change(
        self, guild: GuildId, panel: PanelId, version: int, draft: Draft, *, interaction: InteractionId
    ) -> tuple[PollState, bool]:
        """Change a panel if it still has that version; return what there is now and whether this did it."""
        async with transaction(self._postgres) as conn:
            changed = None
            if await claim_interaction(conn, interaction):
                changed = await store.change(conn, guild, panel, version, draft)
            if changed is not None and changed.kind is Kind.POLL:
                await store.forget_votes(conn, panel, [choice.key for choice in draft.choices])
                await _plan_closing(conn, changed)
            return await _state(conn, guild, panel), changed is not None

    async def close(
        self, guild: GuildId, panel: PanelId, version: int, *, interaction: InteractionId, now: datetime
    ) -> tuple[PollState, bool]:
        """Close a panel if it still has that version; return what there is now and whether this did it."""
        async with transaction(self._postgres) as conn:
            closed = None
            if await claim_interaction(conn, interaction):
                closed = await store.close(conn, guild, panel, version, now)
            if closed is not None:
                await cancel(conn, CLOSE, str(panel))
            return await _state(conn, guild, panel), closed is not None

    async def close_due(self, guild: GuildId, panel: PanelId, now: datetime) -> PollState:
        """Close a poll whose time has come. May be called again."""
        async with transaction(self._postgres) as conn:
            await store.close_due(conn, guild, panel, now)
            return await _state(conn, guild, panel)

    async def refresh(self, state: PollState, now: datetime) -> None:
        """Bring the message up to date; one that was deleted stays deleted."""
        panel = state.panel
        if panel.message_id is None:
            return
        try:
            await self._discord.edit_message(
                panel.channel_id, panel.message_id, self._body(state, now, edits=True)
            )
        except NotFound:
            return

    def _body(self, state: PollState, now: datetime, *, edits: bool) -> dict[str, object]:
        shown = self.look(state, now)
        return self._renderer().body(
            None, [shown], guild=state.panel.guild_id, locale=state.panel.locale, edits=edits
        )

    def _renderer(self) -> PostRenderer:
        """Made when it is needed: a process that never posts needs no application id."""
        if self._rendered is None:
            self._rendered = PostRenderer(self._floor.custom_ids, self._floor.catalogue)
        return self._rendered


async def _state(conn: Conn, guild: GuildId, panel: PanelId) -> PollState:
    found = await store.find(conn, guild, panel)
    if found is None:
        raise PanelGone
    return PollState(found, await store.votes(conn, panel) if found.kind is Kind.POLL else {})


async def _plan_closing(conn: Conn, panel: Panel) -> None:
    if panel.closes_at is None:
        await cancel(conn, CLOSE, str(panel.panel_id))
    else:
        payload = {"guild": str(panel.guild_id), "panel": str(panel.panel_id)}
        await schedule(conn, CLOSE, str(panel.panel_id), panel.closes_at, payload)

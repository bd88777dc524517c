"""Keeps up with the guilds that installed the bot: their names, owners and languages."""

from __future__ import annotations

from app.feature import Feature

FEATURE = Feature(name="guilds", package=__name__, tables=("tenancy.guilds", "tenancy.guild_settings"))

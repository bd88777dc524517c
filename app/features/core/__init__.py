"""The commands that every bot has: /ping, /help, /about."""

from __future__ import annotations

from app.feature import Feature

FEATURE = Feature(name="core", package="app.features.core")

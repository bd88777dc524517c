"""Removing many messages of a channel at once."""

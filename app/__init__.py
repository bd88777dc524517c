"""Gatehouse: the web app and the worker of a self-hosted Discord bot platform."""

__version__ = "0.1.0"

"""The world: all that exists in the sandbox, and everything that can happen in it."""

from __future__ import annotations

from sandbox.world.commands import CommandActions


class World(CommandActions):
    """State (`state.py`) with its actions, one module per kind of thing.

    Actions ask for no permission, write the audit entry, and emit the gateway events that Discord would
    dispatch. All of it is synchronous and belongs to one event loop.
    """

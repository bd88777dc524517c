"""Discord's gateway v10: sockets, sessions, dispatch, resuming."""

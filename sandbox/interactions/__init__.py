"""Discord's side of interactions: signed requests out, replies judged, tokens, follow-ups, webhook events."""

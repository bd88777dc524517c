"""Messages that a guild keeps for a while, so that a rule can be tried on them."""

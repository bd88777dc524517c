"""Discord's REST API v10: routes, permissions, rate limits, error bodies."""

"""Domains: how they are written, found in texts, listed, and imported."""

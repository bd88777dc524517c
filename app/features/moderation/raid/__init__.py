"""Raids: joins that come too fast, levels that go up by themselves and down again, and what is done to the wave."""

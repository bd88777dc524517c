"""Stage 1: a guild's rules. `kinds/` has one file per kind of rule, found by walking the folder."""

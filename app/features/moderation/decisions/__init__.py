"""Decision records: what was judged, with what, and what came of it."""

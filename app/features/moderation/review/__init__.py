"""The review queue: what people must decide, once, whoever of them comes first."""

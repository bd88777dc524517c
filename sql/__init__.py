"""Package data: SQL migrations, shipped with the wheel and found through importlib.resources."""

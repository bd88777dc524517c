"""The admin API under /sandbox: tests and the page act as people do, and see all that happens."""

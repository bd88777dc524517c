"""The browser page: plain HTML, CSS and JavaScript modules out of this package, no build step, no other host."""

from sandbox.page.routes import page_routes

__all__ = ["page_routes"]

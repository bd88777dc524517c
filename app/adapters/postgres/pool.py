"""The connection pool: one `async with pool.connection()` is one transaction."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import TupleRow
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from app.errors import DatabaseUnavailable, PoolExhausted

Conn = AsyncConnection[Any]
Pool = AsyncConnectionPool[AsyncConnection[TupleRow]]

WAIT_SECONDS = 5.0
"""How long a caller waits for a free connection; an interaction has 3 s in all, a worker can retry."""

OPTIONS = "-c timezone=UTC -c statement_timeout=15000 -c idle_in_transaction_session_timeout=30000"


@asynccontextmanager
async def open_pool(url: str, *, size: int = 10) -> AsyncIterator[Pool]:
    """Yield a pool of 1 to `size` connections. Raises DatabaseUnavailable (E004) if the server is not there."""
    pool: Pool = AsyncConnectionPool(
        url,
        min_size=1,
        max_size=size,
        timeout=WAIT_SECONDS,
        open=False,
        kwargs={"options": OPTIONS, "application_name": "gatehouse", "connect_timeout": 5},
        check=AsyncConnectionPool.check_connection,
        reconnect_timeout=60,
    )
    try:
        await pool.open(wait=True, timeout=15)
    except (PoolTimeout, psycopg.OperationalError) as error:
        await pool.close()
        raise DatabaseUnavailable(f"cannot connect to PostgreSQL: {type(error).__name__}") from None
    try:
        yield pool
    finally:
        await pool.close(timeout=5)


@asynccontextmanager
async def transaction(pool: Pool) -> AsyncIterator[Conn]:
    """Yield a connection in a transaction; translate a full pool (E010) and a lost server (E004)."""
    try:
        async with pool.connection() as conn:
            yield conn
    except PoolTimeout:
        raise PoolExhausted("no database connection became free in time") from None
    except psycopg.OperationalError as error:
        if error.sqlstate is None or error.sqlstate.startswith(("08", "57P")):
            raise DatabaseUnavailable(
                f"the connection to PostgreSQL was lost: {type(error).__name__}"
            ) from error
        raise

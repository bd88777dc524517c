"""Run one statement and get typed rows. SQL is a literal (mypy refuses f-strings); rows are dataclasses."""

from __future__ import annotations

from typing import Any, LiteralString, TypeVar

from psycopg.rows import class_row

from app.adapters.postgres.pool import Conn
from app.errors import AppError

Row = TypeVar("Row")


class NoRow(AppError):
    """The statement returned no row where one was expected."""


async def maybe(conn: Conn, row: type[Row], sql: LiteralString, /, **params: Any) -> Row | None:
    """Return the first row as `row`, or None."""
    async with conn.cursor(row_factory=class_row(row)) as cursor:
        await cursor.execute(sql, params or None)
        return await cursor.fetchone()


async def one(conn: Conn, row: type[Row], sql: LiteralString, /, **params: Any) -> Row:
    """Return the first row as `row`. Raises NoRow."""
    found = await maybe(conn, row, sql, **params)
    if found is None:
        raise NoRow
    return found


async def many(conn: Conn, row: type[Row], sql: LiteralString, /, **params: Any) -> list[Row]:
    """Return all rows as `row`."""
    async with conn.cursor(row_factory=class_row(row)) as cursor:
        await cursor.execute(sql, params or None)
        return await cursor.fetchall()


async def value(conn: Conn, sql: LiteralString, /, **params: Any) -> Any:
    """Return the first column of the first row, or None when there is no row."""
    cursor = await conn.execute(sql, params or None)
    found = await cursor.fetchone()
    return None if found is None else found[0]


async def run(conn: Conn, sql: LiteralString, /, **params: Any) -> int:
    """Execute and return the number of affected rows."""
    cursor = await conn.execute(sql, params or None)
    return cursor.rowcount

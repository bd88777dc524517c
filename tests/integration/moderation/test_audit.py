from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import orjson
import psycopg
import pytest

from app.adapters.postgres.pool import Conn, Pool
from app.cli.audit import _verify
from app.features.moderation.audit import AuditEntry, AuditLog, store
from app.features.moderation.cases import store as cases
from app.features.moderation.cases.store import NewCase
from app.snowflake import GuildId, UserId

GUILD = GuildId(1)
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


async def fill(conn: Conn, count: int = 6) -> None:
    for number in range(count):
        entry = AuditEntry("ban", f"user:{number}", UserId(7), {"case": number})
        assert await AuditLog().append(conn, GUILD, entry, NOW) == number + 1


async def tamper(conn: Conn, sql: str) -> list[tuple[int, str]]:
    """Change the table as somebody with the owner's rights could: triggers off."""
    await conn.execute("SET LOCAL session_replication_role = replica")
    await conn.execute(sql.encode())
    return [(problem.position, problem.text) for problem in await AuditLog().verify(conn, GUILD)]


async def test_an_untouched_chain_holds(conn: Conn) -> None:
    await fill(conn)
    assert await AuditLog().verify(conn, GUILD) == []
    assert await AuditLog().verify(conn, GuildId(2)) == []


@pytest.mark.parametrize(
    "change",
    [
        "action = 'unban'",
        "detail = '{}'",
        "actor_id = 8",
        "actor_id = NULL",
        "at = at + interval '1 microsecond'",
        "target = ''",
    ],
)
async def test_a_changed_row_is_found(conn: Conn, change: str) -> None:
    await fill(conn)
    found = await tamper(conn, f"UPDATE moderation.audit_log SET {change} WHERE position = 3")
    assert [position for position, _ in found] == [3]
    assert "changed" in found[0][1]


async def test_a_rewritten_row_with_a_right_hash_is_found_at_its_successor(conn: Conn) -> None:
    from app.features.moderation.audit.log import entry_hash

    await fill(conn)
    rows = [row async for row in store.entries(conn, GUILD)]
    forged = store.StoredEntry(
        *[getattr(rows[2], f) if f != "action" else "unban" for f in store.StoredEntry.__slots__]
    )
    found = await tamper(
        conn,
        f"UPDATE moderation.audit_log SET action = 'unban', hash = '\\x{entry_hash(forged).hex()}' WHERE position = 3",
    )
    assert found == [(4, "row does not follow its predecessor")]


@pytest.mark.parametrize("position", [1, 3, 6])
async def test_a_deleted_row_is_found(conn: Conn, position: int) -> None:
    await fill(conn)
    found = await tamper(conn, f"DELETE FROM moderation.audit_log WHERE position = {position}")
    assert (position, "row is missing") in found
    assert {p for p, _ in found} <= {position, position + 1}


@pytest.mark.parametrize(
    ("removed", "expected"),
    [
        (["audit_heads"], (6, "the log's end is not the one that was recorded")),
        (["audit_heads", "audit_log"], (0, "the log is missing, but the guild has cases")),
    ],
)
async def test_a_missing_head_or_log_is_found(
    conn: Conn, removed: list[str], expected: tuple[int, str]
) -> None:
    await fill(conn)
    case = await cases.open_case(conn, NewCase(GUILD, "k", "warn", "command", UserId(2), reason="first"))
    assert case is not None
    found = await tamper(conn, ";".join(f"DELETE FROM moderation.{table}" for table in removed))
    assert found == [expected]
    assert await store.guilds(conn) == [GUILD]


async def test_the_command_is_not_misled_by_an_entry_that_is_written_meanwhile(
    pool: Pool, database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async with pool.connection() as conn:
        await fill(conn)
    head_of = store.head_of

    async def after_another(conn: Conn, guild: GuildId) -> store.Head | None:
        async with pool.connection() as other:
            await AuditLog().append(other, guild, AuditEntry("warn", "user:1"), NOW)
        return await head_of(conn, guild)

    monkeypatch.setattr(store, "head_of", after_another)
    assert await _verify(database_url, None) == 0
    assert "6 entries, the chain holds" in capsys.readouterr().out


async def test_two_swapped_rows_are_found(conn: Conn) -> None:
    await fill(conn)
    found = await tamper(
        conn,
        """
        UPDATE moderation.audit_log SET position = -2 WHERE position = 2;
        UPDATE moderation.audit_log SET position = 2 WHERE position = 4;
        UPDATE moderation.audit_log SET position = 4 WHERE position = -2""",
    )
    assert {2, 4} <= {position for position, _ in found}


async def test_the_application_can_neither_change_nor_delete(pool: Pool) -> None:
    async with pool.connection() as conn:
        await fill(conn)
    for statement in (
        b"UPDATE moderation.audit_log SET action = 'x'",
        b"DELETE FROM moderation.audit_log",
        b"TRUNCATE moderation.audit_log",
        b"UPDATE moderation.audit_heads SET position = position + 2",
        b"UPDATE moderation.audit_heads SET position = position - 1",
        b"UPDATE moderation.audit_heads SET hash = 'x'",
        b"UPDATE moderation.audit_heads SET guild_id = 2, position = position + 1",
        b"DELETE FROM moderation.audit_heads",
        b"TRUNCATE moderation.audit_heads",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match=r"append-only|only moves on"):
            async with pool.connection() as conn:
                await conn.execute(statement)
    async with pool.connection() as conn:
        assert await AuditLog().verify(conn, GUILD) == []


async def test_writers_at_once_make_one_chain(pool: Pool) -> None:
    async def write(number: int) -> None:
        async with pool.connection() as conn:
            await AuditLog().append(conn, GUILD, AuditEntry("warn", f"user:{number}"), NOW)

    await asyncio.gather(*(write(number) for number in range(40)))
    async with pool.connection() as conn:
        assert await AuditLog().verify(conn, GUILD) == []


async def test_the_export_carries_the_chain(conn: Conn) -> None:
    await fill(conn, 3)
    lines = [orjson.loads(line) async for line in AuditLog().export(conn, GUILD)]
    assert [line["position"] for line in lines] == [1, 2, 3]
    assert lines[1]["previous"] == lines[0]["hash"]

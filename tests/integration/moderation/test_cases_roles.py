"""sql/roles.sql: the application's role does its work and cannot rewrite what was done."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files

import psycopg
import pytest

from app.adapters.postgres.pool import open_pool, transaction
from app.features.moderation.audit import AuditEntry, AuditLog
from app.features.moderation.cases import store
from app.features.moderation.cases.store import NewCase
from app.snowflake import GuildId, UserId
from app.streams.store import cancel, schedule
from tests.integration.moderation.test_cases import NOW

GUILD = GuildId(1)

pytestmark = pytest.mark.own_database


@pytest.fixture
def app_role(database_url: str) -> Iterator[str]:
    """A URL whose connections have the application's rights only."""
    script = files("sql").joinpath("roles.sql").read_text()
    with psycopg.connect(database_url, autocommit=True) as conn:
        for _ in range(2):
            conn.execute(script.encode())
    yield f"{database_url}{'&' if '?' in database_url else '?'}options=-c%20role%3Dgatehouse_app"
    with psycopg.connect(database_url, autocommit=True) as conn:
        conn.execute("DROP OWNED BY gatehouse_app")


async def test_the_application_can_work_but_not_rewrite(app_role: str) -> None:
    async with await psycopg.AsyncConnection.connect(app_role) as conn:
        cursor = await conn.execute("SELECT current_user")
        assert await cursor.fetchone() == ("gatehouse_app",)
        await AuditLog().append(conn, GUILD, AuditEntry("ban", "user:2"), NOW)
        await AuditLog().append(conn, GUILD, AuditEntry("unban", "user:2"), NOW)
        case = await store.open_case(conn, NewCase(GUILD, "k", "warn", "command", UserId(2), reason="first"))
        assert case is not None
        assert await store.edit_reason(conn, GUILD, 1, "second", UserId(7))
        await schedule(conn, "x", "k", NOW, {})
        assert await cancel(conn, "x", "k")
        assert await AuditLog().verify(conn, GUILD) == []
        await conn.commit()
        for statement in (
            "UPDATE moderation.audit_log SET action = 'x'",
            "DELETE FROM moderation.audit_log",
            "TRUNCATE moderation.audit_log",
            "DELETE FROM moderation.audit_heads",
            "UPDATE moderation.audit_heads SET position = 1",
            "DELETE FROM moderation.cases",
            "UPDATE moderation.case_notes SET previous = 'x'",
            "UPDATE moderation.rule_versions SET kind = 'x'",
            "ALTER TABLE moderation.audit_log DISABLE TRIGGER ALL",
            "DROP TRIGGER audit_log_is_append_only ON moderation.audit_log",
            "SET session_replication_role = replica",
            "CREATE TABLE public.mine (a int)",
            "CREATE TABLE moderation.mine (a int)",
            "INSERT INTO public.schema_migrations VALUES (999, 'x', 'x')",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                await conn.execute(statement.encode())
            await conn.rollback()


async def test_a_process_opens_its_pool_with_these_rights(app_role: str) -> None:
    base = app_role.split("options=")[0].rstrip("?&")
    async with open_pool(base) as pool, transaction(pool) as conn:
        await conn.execute("SET LOCAL ROLE gatehouse_app")
        await AuditLog().append(conn, GUILD, AuditEntry("ban", "user:2"), NOW)

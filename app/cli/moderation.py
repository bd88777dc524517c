"""`gatehouse moderation`: look into automatic decisions."""

from __future__ import annotations

import asyncio
import sys

import click

from app.adapters.postgres.pool import open_pool
from app.features.moderation.decisions import store
from app.features.moderation.decisions.explain import Explanation, explain
from app.runtime import open_stores
from app.settings import Settings


@click.group()
def moderation() -> None:
    """Look into what automatic moderation decided."""


@moderation.command("explain")
@click.argument("decision_id", type=int)
def explain_decision(decision_id: int) -> None:
    """Rebuild an automatic verdict from its record and compare; exit status 1 if it comes out differently.

    The id is in the guild's audit log (`gatehouse audit export`) and in the case.
    """
    with open_stores(Settings.from_environment()) as urls:
        found = asyncio.run(_explain(urls.database, decision_id))
    if found is None:
        click.echo(f"gatehouse: there is no decision {decision_id}", err=True)
        sys.exit(1)
    click.echo("\n".join(found.lines))
    click.echo("the verdict holds" if found.holds else "the verdict DIFFERS from its record")
    sys.exit(0 if found.holds else 1)


async def _explain(url: str, decision_id: int) -> Explanation | None:
    async with open_pool(url, size=1) as pool, pool.connection() as conn:
        record = await store.find(conn, decision_id)
        return None if record is None else await explain(conn, record)
